//! Posters and portraits: taken from admins, kept in an object store, read by everybody (R-CAT-06, R-ADM-01;
//! docs/decisions/0027).
//!
//! What an image is is decided by its first bytes, never by its name or what the sender calls it. Its key is a hash of
//! it, so an upload that is repeated changes nothing, and what is behind a key never changes.

mod format;
mod http;
mod store;

pub(crate) use http::router;
pub(crate) use store::{ImageStore, open};

use clap::ValueHint;
use std::path::PathBuf;

/// Where images go. Neither a bucket nor a directory: uploads are refused, and say so.
#[derive(clap::Args, Clone, Debug, Default)]
#[group(skip)]
pub struct ImageConfig {
    /// S3 bucket that images are put into.
    #[arg(long = "image-bucket", env = "IMAGE_BUCKET", conflicts_with = "image_dir")]
    pub image_bucket: Option<String>,

    /// Base URL of the store the bucket is in, if that is not AWS.
    #[arg(long = "image-bucket-endpoint", env = "IMAGE_BUCKET_ENDPOINT")]
    pub image_bucket_endpoint: Option<String>,

    /// The bucket's region, if that is not the environment's (AWS_REGION).
    #[arg(long = "image-bucket-region", env = "IMAGE_BUCKET_REGION")]
    pub image_bucket_region: Option<String>,

    /// Key id for the bucket, if it is not the environment's (AWS_ACCESS_KEY_ID, a profile or a role).
    #[arg(
        long = "image-bucket-key-id",
        env = "IMAGE_BUCKET_KEY_ID",
        requires = "image_bucket_secret"
    )]
    pub image_bucket_key_id: Option<String>,

    /// Its secret.
    #[arg(
        long = "image-bucket-secret",
        env = "IMAGE_BUCKET_SECRET",
        hide_env_values = true,
        requires = "image_bucket_key_id"
    )]
    pub image_bucket_secret: Option<String>,

    /// Directory that images are put into and served from, in the place of a bucket; replicas must share it.
    #[arg(long = "image-dir", env = "IMAGE_DIR", value_hint = ValueHint::DirPath)]
    pub image_dir: Option<PathBuf>,

    /// Where browsers read images from, without a slash at the end: a CDN's or the site's URL. Without it, the bucket's
    /// own URL, or this API's path.
    #[arg(long = "image-base-url", env = "IMAGE_BASE_URL")]
    pub image_base_url: Option<String>,
}
