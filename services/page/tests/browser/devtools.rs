//! The DevTools protocol: commands, answers and events over one WebSocket per test.

use crate::chromium;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;

/// The browser does nothing here that takes longer, except to be broken.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;
type Heard = Arc<Mutex<Vec<Value>>>;

/// A connection to the browser.
#[derive(Clone)]
pub(crate) struct DevTools {
    out: mpsc::UnboundedSender<Message>,
    waiting: Waiting,
    heard: Heard,
    next: Arc<AtomicU64>,
}

impl DevTools {
    pub(crate) async fn connect() -> Self {
        let address = tokio::task::spawn_blocking(chromium::devtools)
            .await
            .expect("the browser starts");
        let (socket, _) = tokio_tungstenite::connect_async(address)
            .await
            .expect("the browser takes a DevTools connection");
        let (mut sink, mut stream) = socket.split();
        let (out, mut outgoing) = mpsc::unbounded_channel::<Message>();
        let (waiting, heard) = (Waiting::default(), Heard::default());
        tokio::spawn(async move {
            while let Some(message) = outgoing.recv().await {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
        });
        let (answers, events) = (Arc::clone(&waiting), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                let Ok(text) = message.to_text() else { continue };
                let Ok(value) = serde_json::from_str::<Value>(text) else {
                    continue;
                };
                match value["id"].as_u64() {
                    Some(id) => {
                        if let Some(answer) = answers.lock().unwrap().remove(&id) {
                            let _ = answer.send(value);
                        }
                    }
                    None => events.lock().unwrap().push(value),
                }
            }
        });
        Self {
            out,
            waiting,
            heard,
            next: Arc::new(AtomicU64::new(1)),
        }
    }

    /// Sends a command, to a session if one is named, and returns its result.
    pub(crate) async fn call(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, answer);
        self.out
            .send(Message::text(message.to_string()))
            .expect("the DevTools connection is open");
        let answer = tokio::time::timeout(ANSWER_WITHIN, answered)
            .await
            .unwrap_or_else(|_| panic!("{method}: no answer within {ANSWER_WITHIN:?}"))
            .expect("the DevTools connection is open");
        assert!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    /// Events of a session with this name so far.
    pub(crate) fn heard(&self, session: &str, method: &str) -> Vec<Value> {
        self.heard
            .lock()
            .unwrap()
            .iter()
            .filter(|event| event["sessionId"] == session && event["method"] == method)
            .map(|event| event["params"].clone())
            .collect()
    }
}
