//! Where images are kept: a bucket, or a directory where there is none.

use super::ImageConfig;
use super::format::{self, Image};
use bytes::Bytes;
use futures::future::BoxFuture;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use urr_kit::store::bucket::{Bucket, BucketError, BucketSettings};
use urr_kit::{Ctx, StartError};
use uuid::Uuid;

/// Where this API itself serves a directory's images, as browsers see it through the gateway.
const OWN_PATH: &str = "/api/v1/image";

/// Why an image was not kept or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("the image's bucket did not take it")]
    Bucket(#[from] BucketError),
    #[error("the images' directory cannot be used")]
    Directory(#[from] std::io::Error),
}

/// Keeps images.
pub(crate) trait ImageStore: Send + Sync {
    /// Keeps an image; where browsers read it. Again for the same image it changes nothing.
    fn put<'a>(&'a self, image: &'a Image) -> BoxFuture<'a, Result<String, ImageError>>;

    /// What is kept under a name of ours, where this API is what serves it.
    fn get<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, ImageError>>;
}

/// The store the settings name, if they name one.
///
/// # Errors
/// When both are named, or what is named cannot be used.
pub(crate) async fn open(ctx: &Ctx, config: &ImageConfig) -> Result<Option<Arc<dyn ImageStore>>, StartError> {
    let public = config
        .image_base_url
        .as_ref()
        .map(|url| url.trim_end_matches('/').to_owned());
    match (set(config.image_bucket.as_ref()), &config.image_dir) {
        (Some(_), Some(_)) => Err(StartError::BadSetting {
            variable: "IMAGE_DIR",
            problem: "IMAGE_BUCKET is set too; images are kept in one place".to_owned(),
        }),
        (Some(name), None) => {
            let keys = (
                set(config.image_bucket_key_id.as_ref()),
                set(config.image_bucket_secret.as_ref()),
            );
            let settings = BucketSettings {
                name,
                endpoint: set(config.image_bucket_endpoint.as_ref()),
                region: set(config.image_bucket_region.as_ref()),
                key: match keys {
                    (Some(id), Some(secret)) => Some((id, secret)),
                    _ => None,
                },
            };
            let bucket = Bucket::connect(ctx.http(), ctx.clock.clone(), "IMAGE_BUCKET", &settings).await?;
            Ok(Some(Arc::new(InBucket { bucket, public })))
        }
        (None, Some(dir)) => {
            let unusable = |error: std::io::Error| StartError::BadSetting {
                variable: "IMAGE_DIR",
                problem: format!("{}: {error}", dir.display()),
            };
            tokio::fs::create_dir_all(dir).await.map_err(unusable)?;
            Ok(Some(Arc::new(InDirectory {
                dir: dir.clone(),
                public: public.unwrap_or_else(|| OWN_PATH.to_owned()),
            })))
        }
        (None, None) => Ok(None),
    }
}

/// A variable that is there and empty is not set.
fn set(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).cloned()
}

struct InBucket {
    bucket: Bucket,
    public: Option<String>,
}

impl ImageStore for InBucket {
    fn put<'a>(&'a self, image: &'a Image) -> BoxFuture<'a, Result<String, ImageError>> {
        Box::pin(async move {
            let key = image.key();
            self.bucket
                .put(&key, image.format.content_type(), image.content.clone())
                .await?;
            Ok(match &self.public {
                Some(base) => format!("{base}/{key}"),
                None => self.bucket.url_of(&key),
            })
        })
    }

    fn get<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, ImageError>> {
        Box::pin(async { Ok(None) })
    }
}

struct InDirectory {
    dir: PathBuf,
    public: String,
}

impl ImageStore for InDirectory {
    fn put<'a>(&'a self, image: &'a Image) -> BoxFuture<'a, Result<String, ImageError>> {
        Box::pin(async move {
            place(&self.dir, image).await?;
            Ok(format!("{}/{}", self.public, format::key(&image.name)))
        })
    }

    fn get<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, ImageError>> {
        Box::pin(async move {
            match tokio::fs::read(self.dir.join(name)).await {
                Ok(content) => Ok(Some(content.into())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// Under its name it is whole or not there: readers never see half an image.
async fn place(dir: &Path, image: &Image) -> std::io::Result<()> {
    let unfinished = dir.join(format!(".{}.part", Uuid::new_v4().simple()));
    let written = async {
        tokio::fs::write(&unfinished, &image.content).await?;
        tokio::fs::rename(&unfinished, dir.join(&image.name)).await
    };
    let written = written.await;
    if written.is_err() {
        // Best effort: what is left over is no image's name.
        let _ = tokio::fs::remove_file(&unfinished).await;
    }
    written
}
