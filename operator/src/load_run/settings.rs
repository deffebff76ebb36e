//! What the operator is told about runners.

/// Settings of the runners' Pods.
#[derive(clap::Args, Clone, Debug)]
// Two groups named after their type would collide on one command line.
#[group(skip)]
pub struct Settings {
    /// Where runners send visitors: the public entry as it is reached inside the cluster. It must have
    /// consented to being loaded: the same URR_LOAD_OPT_IN_SECRET there and in the runners' secret.
    #[arg(
        long,
        env = "RUNNER_TARGET_URL",
        default_value = "http://gateway:3001",
        value_name = "URL"
    )]
    pub runner_target_url: String,
    /// Image with `operator`; that of `--deployment` when left out.
    #[arg(long, env = "RUNNER_IMAGE", value_name = "IMAGE")]
    pub runner_image: Option<String>,
    /// The Deployment this operator runs in: its image is the runners' too, so both speak one format.
    #[arg(
        long = "deployment",
        env = "OPERATOR_DEPLOYMENT",
        default_value = "urr-operator",
        value_name = "NAME"
    )]
    pub own_deployment: String,
    /// The Secret of the services: runners mint their visitors' tokens with it.
    #[arg(
        long,
        env = "RUNNER_SECRET",
        default_value = "urr-secrets",
        value_name = "NAME"
    )]
    pub runner_secret: String,
    /// The ServiceAccount of runners: it may read when to begin and hand results in.
    #[arg(
        long,
        env = "RUNNER_SERVICE_ACCOUNT",
        default_value = "urr-runner",
        value_name = "NAME"
    )]
    pub runner_service_account: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            runner_target_url: "http://gateway:3001".to_owned(),
            runner_image: None,
            own_deployment: "urr-operator".to_owned(),
            runner_secret: "urr-secrets".to_owned(),
            runner_service_account: "urr-runner".to_owned(),
        }
    }
}
