//! Installing custom resource definitions.

use crate::{Error, eventually};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::conditions;
use kube::runtime::wait::Condition as _;
use kube::{Api, Client, ResourceExt as _};
use std::time::Duration;

const ESTABLISHED: Duration = Duration::from_secs(30);

/// Applies `crds` and waits until the API server serves them. Repeating it changes nothing.
///
/// # Errors
/// When the API server refuses one (a CEL rule that does not compile or costs too much, a schema
/// that is not structural) or does not serve it.
pub async fn install(client: &Client, crds: &[CustomResourceDefinition]) -> Result<(), Error> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let params = PatchParams::apply("urr-testkit").force();
    for crd in crds {
        api.patch(&crd.name_any(), &params, &Patch::Apply(crd)).await?;
    }
    for crd in crds {
        let name = crd.name_any();
        let what = format!("{name} established");
        eventually(ESTABLISHED, &what, async || {
            let found = api.get_opt(&name).await.map_err(|error| error.to_string())?;
            if conditions::is_crd_established().matches_object(found.as_ref()) {
                Ok(())
            } else {
                let conditions = found
                    .and_then(|crd| crd.status)
                    .and_then(|status| status.conditions);
                Err(format!("{conditions:?}"))
            }
        })
        .await?;
    }
    Ok(())
}
