//! Where traces go and how many, by OpenTelemetry's own names.

/// How it is decided which traces are recorded. The names are those of `OTEL_TRACES_SAMPLER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
#[clap(rename_all = "snake_case")]
pub enum SamplerName {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// The share that OTEL_TRACES_SAMPLER_ARG says, whatever a caller decided.
    #[clap(name = "traceidratio")]
    Ratio,
    /// As the caller decided; all that begin here.
    #[default]
    #[clap(name = "parentbased_always_on")]
    ParentOrOn,
    /// As the caller decided; none that begin here.
    #[clap(name = "parentbased_always_off")]
    ParentOrOff,
    /// As the caller decided; of those that begin here the share that OTEL_TRACES_SAMPLER_ARG says.
    #[clap(name = "parentbased_traceidratio")]
    ParentOrRatio,
}

/// Settings of traces. Without an endpoint there are none.
#[derive(clap::Args, Debug, Clone, Default)]
// Several commands have these; a group named after the type would collide.
#[group(skip)]
pub struct TraceSettings {
    /// Where spans are sent to: OTLP over HTTP (protobuf), for example http://collector:4318. Without it there
    /// are no traces.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", hide_env_values = true)]
    pub otlp_endpoint: Option<String>,
    /// The same for traces alone, with its whole path.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", hide_env_values = true)]
    pub otlp_traces_endpoint: Option<String>,
    /// Which traces are recorded.
    #[arg(long, env = "OTEL_TRACES_SAMPLER", value_enum, default_value_t)]
    pub traces_sampler: SamplerName,
    /// The share that is recorded, 0 to 1, where the sampler asks for one.
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value = "1", value_parser = share)]
    pub traces_sampler_arg: f64,
    /// What this process is called in traces, if not by its command.
    #[arg(long, env = "OTEL_SERVICE_NAME")]
    pub otel_service_name: Option<String>,
}

impl TraceSettings {
    /// The URL that spans are posted to, `None` when there are no traces.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        // By the specification a variable that is empty is not set.
        let set = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        set(&self.otlp_traces_endpoint).or_else(|| {
            set(&self.otlp_endpoint).map(|base| format!("{}/v1/traces", base.trim().trim_end_matches('/')))
        })
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.trim() {
        "" => Ok(1.0),
        text => text
            .parse()
            .ok()
            .filter(|share| (0.0..=1.0).contains(share))
            .ok_or_else(|| "a share from 0 to 1, for example 0.01".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};

    fn parse(args: &[&str]) -> Result<TraceSettings, clap::Error> {
        let command = TraceSettings::augment_args(clap::Command::new("test").no_binary_name(true));
        TraceSettings::from_arg_matches(&command.try_get_matches_from(args)?)
    }

    #[test]
    fn without_an_endpoint_there_is_nowhere_to_send_to() {
        assert_eq!(parse(&[]).unwrap().url(), None);
        assert_eq!(parse(&["--otlp-endpoint", " "]).unwrap().url(), None);
    }

    #[test]
    fn an_endpoint_of_traces_comes_first_and_is_taken_as_it_is() {
        let base = ["--otlp-endpoint", "http://c:4318/"];
        assert_eq!(parse(&base).unwrap().url().unwrap(), "http://c:4318/v1/traces");
        let both = [&base[..], &["--otlp-traces-endpoint", "http://t/x"]].concat();
        assert_eq!(parse(&both).unwrap().url().unwrap(), "http://t/x");
    }

    #[test]
    fn samplers_are_called_as_the_specification_calls_them() {
        for (name, sampler) in [
            ("always_on", SamplerName::AlwaysOn),
            ("always_off", SamplerName::AlwaysOff),
            ("traceidratio", SamplerName::Ratio),
            ("parentbased_always_on", SamplerName::ParentOrOn),
            ("parentbased_always_off", SamplerName::ParentOrOff),
            ("parentbased_traceidratio", SamplerName::ParentOrRatio),
        ] {
            let settings = parse(&["--traces-sampler", name]).unwrap();
            assert_eq!(settings.traces_sampler, sampler);
        }
        assert!(
            parse(&["--traces-sampler", "parentbased_ratio"]).is_err(),
            "a slip must not record every visitor"
        );
    }

    #[test]
    fn a_share_is_between_none_and_all() {
        for (text, is_share) in [
            ("0", true),
            ("0.01", true),
            ("1", true),
            ("1.5", false),
            ("-1", false),
            ("x", false),
            ("NaN", false),
        ] {
            let parsed = parse(&[&format!("--traces-sampler-arg={text}")]);
            assert_eq!(parsed.is_ok(), is_share, "{text}");
        }
    }
}
