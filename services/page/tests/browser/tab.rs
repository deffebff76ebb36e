//! A person's browser and its tabs, as far as these tests need them.

use crate::{
    devtools::DevTools,
    world::{Plan, World},
};
use base64::Engine as _;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What a person may have to wait for here, on two busy cores.
const PATIENCE: Duration = Duration::from_secs(15);

/// One person's browser: its own cookies and storage.
pub(crate) struct Person {
    devtools: DevTools,
    context: String,
    language: &'static str,
}

/// How a tab looks.
#[derive(Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) scale: u32,
}

pub(crate) const PHONE: Screen = Screen {
    width: 390,
    height: 844,
    scale: 2,
};
pub(crate) const DESKTOP: Screen = Screen {
    width: 1280,
    height: 860,
    scale: 1,
};

impl Person {
    pub(crate) async fn new(language: &'static str) -> Self {
        let devtools = DevTools::connect().await;
        let context = devtools
            .call(
                None,
                "Target.createBrowserContext",
                json!({"disposeOnDetach": true}),
            )
            .await["browserContextId"]
            .as_str()
            .unwrap()
            .to_owned();
        Self {
            devtools,
            context,
            language,
        }
    }

    /// A tab in view at `url`.
    pub(crate) async fn open(&self, url: &str) -> Tab {
        self.open_on(url, DESKTOP).await
    }

    pub(crate) async fn open_on(&self, url: &str, screen: Screen) -> Tab {
        let params = json!({"url": "about:blank", "browserContextId": self.context, "newWindow": true});
        let target = self.devtools.call(None, "Target.createTarget", params).await["targetId"].clone();
        let params = json!({"targetId": target, "flatten": true});
        let attached = self.devtools.call(None, "Target.attachToTarget", params).await;
        let tab = Tab {
            devtools: self.devtools.clone(),
            session: attached["sessionId"].as_str().unwrap().to_owned(),
            target: target.as_str().unwrap().to_owned(),
        };
        for (method, params) in [
            ("Page.enable", json!({})),
            ("Runtime.enable", json!({})),
            ("Log.enable", json!({})),
            ("Network.enable", json!({})),
            (
                "Network.setUserAgentOverride",
                json!({"userAgent": "urr-browser-test", "acceptLanguage": self.language}),
            ),
            (
                "Emulation.setDeviceMetricsOverride",
                json!({"width": screen.width, "height": screen.height, "deviceScaleFactor": screen.scale, "mobile": screen.width < 600}),
            ),
        ] {
            tab.call(method, params).await;
        }
        tab.go(url).await;
        tab
    }
}

/// Somebody who reads English and waits behind `ahead` people, one of whom is let in each second; with his tab.
pub(crate) async fn somebody_waits(ahead: u64) -> (World, Person, Tab) {
    let world = World::new(Plan {
        ahead,
        ..Plan::default()
    })
    .await;
    let person = Person::new("en").await;
    let tab = person.open(&world.page()).await;
    tab.until_state("waiting").await;
    (world, person, tab)
}

/// One tab.
pub(crate) struct Tab {
    devtools: DevTools,
    session: String,
    target: String,
}

impl Tab {
    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        self.devtools.call(Some(&self.session), method, params).await
    }

    pub(crate) async fn go(&self, url: &str) {
        let went = self.call("Page.navigate", json!({"url": url})).await;
        assert!(went.get("errorText").is_none(), "{url}: {}", went["errorText"]);
    }

    pub(crate) async fn reload(&self) {
        self.call("Page.reload", json!({})).await;
    }

    pub(crate) async fn close(self) {
        self.devtools
            .call(None, "Target.closeTarget", json!({"targetId": self.target}))
            .await;
    }

    /// The value of a JavaScript expression; promises are waited for.
    pub(crate) async fn eval(&self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", params).await;
        assert!(
            answer.get("exceptionDetails").is_none(),
            "{expression}: {}",
            answer["exceptionDetails"]
        );
        answer["result"]["value"].clone()
    }

    /// What an element says, or "" if it is not shown.
    pub(crate) async fn text(&self, id: &str) -> String {
        let shown = format!(
            "(() => {{ const e = document.getElementById('{id}'); return e && e.checkVisibility() ? e.innerText.trim() : ''; }})()"
        );
        self.eval(&shown).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the expression is true; says what the page showed if it never is.
    pub(crate) async fn until(&self, what: &str, expression: &str) {
        let guarded =
            format!("(() => {{ try {{ return !!({expression}); }} catch (_) {{ return false; }} }})()");
        let deadline = Instant::now() + PATIENCE;
        loop {
            // A page on its way to another has no context for a moment.
            let params = json!({"expression": guarded, "returnByValue": true});
            let answer = self.call_loose("Runtime.evaluate", params).await;
            if answer.is_some_and(|answer| answer["result"]["value"] == true) {
                return;
            }
            if Instant::now() > deadline {
                let shown = self.eval("location.href + ' ' + document.body.innerText").await;
                panic!(
                    "never: {what}; the page shows: {shown}; it complained: {:?}",
                    self.complaints()
                );
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    async fn call_loose(&self, method: &str, params: Value) -> Option<Value> {
        let tab = (self.devtools.clone(), self.session.clone(), method.to_owned());
        let call = async move { tab.0.call(Some(&tab.1), &tab.2, params).await };
        tokio::spawn(call).await.ok()
    }

    pub(crate) async fn until_state(&self, state: &str) {
        self.until(state, &format!("document.body.dataset.state === '{state}'"))
            .await;
    }

    pub(crate) async fn click(&self, selector: &str) {
        self.eval(&format!("document.querySelector({}).click()", json!(selector)))
            .await;
    }

    /// Pulls or plugs the network cable of this tab.
    pub(crate) async fn offline(&self, offline: bool) {
        let params =
            json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.call("Network.emulateNetworkConditions", params).await;
    }

    /// Errors and warnings of the console, and what the page was refused.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let exceptions = self.devtools.heard(&self.session, "Runtime.exceptionThrown");
        let entries = self.devtools.heard(&self.session, "Log.entryAdded");
        exceptions
            .iter()
            .map(|event| event["exceptionDetails"].to_string())
            .chain(
                entries
                    .iter()
                    .map(|event| &event["entry"])
                    .filter(|entry| entry["source"] != "network")
                    .map(ToString::to_string),
            )
            .collect()
    }

    /// A picture, if the tester wants one: `URR_PAGE_SHOTS=dir`.
    pub(crate) async fn picture(&self, name: &str) {
        let Some(dir) = std::env::var_os("URR_PAGE_SHOTS") else {
            return;
        };
        let shot = self
            .call(
                "Page.captureScreenshot",
                json!({"format": "png", "captureBeyondViewport": false}),
            )
            .await;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(shot["data"].as_str().unwrap())
            .unwrap();
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(std::path::Path::new(&dir).join(format!("{name}.png")), bytes).unwrap();
    }
}
