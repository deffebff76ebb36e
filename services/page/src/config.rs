//! Where the page asks and where it leads. Everything here is the same for all visitors: the page
//! is cached by strangers.

use serde_json::json;
use urr_kit::StartError;

/// Settings of the waiting page.
#[derive(clap::Args, Clone, Debug)]
// Several services share one command line; groups named after the type would collide.
#[group(skip)]
pub struct Config {
    /// Where an admitted visitor goes when the page was not asked to lead back somewhere;
    /// `{event}` is the sale.
    #[arg(long, env = "URR_PAGE_AFTER", default_value = "/queue/{event}")]
    pub page_after: String,

    /// Other origins `?return=` may lead to, comma-separated, for example
    /// `https://shop.example.com`. The page's own origin always may; anything else is ignored.
    #[arg(long, env = "URR_PAGE_RETURN_ORIGINS", value_delimiter = ',')]
    pub page_return_origins: Vec<String>,

    /// Domain of the pass's cookie, when the shop is on a sister host (example.com). Without it
    /// the cookie stays on the page's host.
    #[arg(long, env = "URR_PAGE_COOKIE_DOMAIN")]
    pub page_cookie_domain: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            page_after: "/queue/{event}".to_owned(),
            page_return_origins: Vec::new(),
            page_cookie_domain: None,
        }
    }
}

impl Config {
    /// The settings the page's script reads, checked.
    pub(crate) fn for_script(&self) -> Result<String, StartError> {
        if !self.page_after.starts_with('/') || self.page_after.starts_with("//") {
            return Err(bad("URR_PAGE_AFTER", format!("`{}` is no path", self.page_after)));
        }
        let origins = self
            .page_return_origins
            .iter()
            .map(|origin| origin_of(origin.trim()))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(domain) = &self.page_cookie_domain
            && !domain
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
        {
            return Err(bad("URR_PAGE_COOKIE_DOMAIN", format!("`{domain}` is no domain")));
        }
        Ok(json!({
            "api": "/vwr-api/vwr",
            "seats": "/vwr/seats",
            "after": self.page_after,
            "origins": origins,
            "cookieDomain": self.page_cookie_domain,
        })
        .to_string())
    }
}

/// `scheme://host[:port]` as browsers write it, so that the script can compare letter by letter.
fn origin_of(text: &str) -> Result<String, StartError> {
    let problem = || {
        bad(
            "URR_PAGE_RETURN_ORIGINS",
            format!("`{text}` is no origin; write e.g. https://shop.example.com"),
        )
    };
    let uri: http::Uri = text.parse().map_err(|_| problem())?;
    let scheme = uri
        .scheme_str()
        .filter(|scheme| matches!(*scheme, "https" | "http"));
    let (Some(scheme), Some(authority)) = (scheme, uri.authority()) else {
        return Err(problem());
    };
    if authority.as_str().contains('@') || uri.path() != "/" || uri.query().is_some() {
        return Err(problem());
    }
    let default_port = if scheme == "https" { 443 } else { 80 };
    let host = authority.host().to_ascii_lowercase();
    Ok(match authority.port_u16().filter(|port| *port != default_port) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

fn bad(variable: &'static str, problem: String) -> StartError {
    StartError::BadSetting { variable, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_compare_them() {
        for (text, origin) in [
            ("https://Shop.Example.com", "https://shop.example.com"),
            ("https://shop.example.com/", "https://shop.example.com"),
            ("https://shop.example.com:443", "https://shop.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
        ] {
            assert_eq!(origin_of(text).unwrap(), origin);
        }
    }

    #[test]
    fn what_is_no_origin_stops_the_start() {
        for text in [
            "shop.example.com",
            "javascript:alert(1)",
            "https://a@b.example",
            "https://a.example/path",
            "*",
        ] {
            assert!(origin_of(text).is_err(), "{text}");
        }
        let elsewhere = Config {
            page_after: "//evil.example".to_owned(),
            ..Config::default()
        };
        assert!(elsewhere.for_script().is_err());
    }
}
