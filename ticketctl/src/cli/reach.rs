//! What every verb understands: where sales are, how long to wait, how to speak.

use crate::output::Colour;
use clap::Args;
use std::{path::PathBuf, time::Duration};

/// Flags of all verbs.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Globals {
    /// Base URL of a control API.
    #[arg(
        long,
        visible_alias = "url",
        global = true,
        env = "TICKETCTL_CONTROL_URL",
        value_name = "URL",
        help_heading = "Where"
    )]
    pub(crate) control: Option<String>,
    /// File with the control API's token, - for stdin (never on the command line: others can read
    /// that).
    #[arg(
        long,
        global = true,
        env = "TICKETCTL_TOKEN_FILE",
        value_name = "FILE",
        help_heading = "Where"
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// Kubeconfig file.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Where")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Where")]
    pub(crate) context: Option<String>,
    /// Namespace in the cluster.
    #[arg(long, short = 'n', global = true, value_name = "NAME", help_heading = "Where")]
    pub(crate) namespace: Option<String>,
    /// How long to wait for answers, e.g. 10s or 2m.
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        value_parser = duration,
        help_heading = "How"
    )]
    pub(crate) timeout: Option<Duration>,
    /// When to use colours.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "How"
    )]
    pub(crate) color: Colour,
    /// Ask nothing: what would need an answer fails instead.
    #[arg(long, global = true, help_heading = "How")]
    pub(crate) no_input: bool,
    /// Say nothing but data and errors.
    #[arg(long, short, global = true, help_heading = "How")]
    pub(crate) quiet: bool,
    /// Whether this process is a plugin of kubectl, which means its cluster.
    #[arg(skip)]
    pub(crate) as_plugin: bool,
}

/// `250ms`, `10s`, `2m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time: write it with its unit, such as 250ms, 10s, 2m or 1h");
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let ms = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    ms.map(Duration::from_millis).ok_or_else(wrong)
}
