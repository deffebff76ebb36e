//! Who may be loaded, asked over the wire.

use super::*;
use axum::Router;
use axum::response::Redirect;
use axum::routing::get;

const SECRET: &str = "between the operator and the generator, 32 bytes and more";

/// Serves `router` on loopback; a target that consents is one even there.
async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn consenting(secret: &str) -> Router {
    urr_kit::load_consent::router(ConsentKey::new(secret).unwrap())
}

#[tokio::test]
async fn a_target_that_holds_the_secret_consents_and_only_for_itself() {
    let base = serve(consenting(SECRET)).await;
    let opt_in = OptIn::ask(&base, SECRET).await.unwrap();
    assert_eq!(format!("http://{}", opt_in.authority), base);
    let scenario = crate::Scenario::parse("good.yaml", include_str!("../../tests/good.yaml")).unwrap();
    let target = |base_url: &str, opt_in: Option<OptIn>| Target {
        base_url: base_url.to_owned(),
        sale: scenario.sale(Uuid::nil(), urr_core::time::Millis(0)),
        hall: scenario.hall(),
        secrets: Arc::new(Secrets::generate().unwrap()),
        opt_in,
    };
    let stage = OptIn {
        authority: "stage.example.org:8080".to_owned(),
    };
    let loaded = |base: &str, opt_in: &OptIn| target(base, Some(opt_in.clone())).check().is_ok();
    assert!(loaded("http://stage.example.org:8080", &stage));
    assert!(!loaded("http://stage.example.org:8081", &stage));
    assert!(!loaded("http://www.example.org:8080", &stage));
    assert!(!loaded("https://stage.example.org:8080", &stage));
    assert!(!loaded("http://stage.example.org:8080", &opt_in));
    let error = target("http://stage.example.org", None).check().unwrap_err();
    assert!(error.to_string().contains(SECRET_ENV), "{error}");
}

#[tokio::test]
async fn no_answer_another_secret_or_a_redirect_is_no_consent() {
    let willing = serve(consenting(SECRET)).await;
    let elsewhere = format!("{willing}{PATH}");
    let redirecting = Router::new().route(PATH, get(|| async move { Redirect::temporary(&elsewhere) }));
    let copied = Router::new().route(PATH, get(|| async { r#"{"proof":"00"}"# }));
    let cases = [
        (serve(Router::new()).await, "404"),
        (
            serve(consenting(&SECRET.to_uppercase())).await,
            "the secrets differ",
        ),
        (serve(redirecting).await, "307"),
        (serve(copied).await, "the secrets differ"),
        ("http://127.0.0.1:1".to_owned(), "did not answer"),
    ];
    for (base, why) in cases {
        let error = OptIn::ask(&base, SECRET).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let weak = OptIn::ask(&willing, "hello").await.unwrap_err();
    assert!(matches!(weak, Unsafe::WeakSecret(_)), "{weak}");
}
