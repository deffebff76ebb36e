//! An SQS emulator in this process, behind the HTTP that the SDK speaks, and what tests do to it.
//!
//! Queues, groups, order, deduplication and the protocol are the emulator's (rustack); only faults are
//! made here: to be away, and to answer that an entry of a request failed.

use axum::body::Bytes;
use futures::future::BoxFuture;
use hyper::{Response, server::conn::http1};
use hyper_util::rt::TokioIo;
use rustack_sqs_core::{config::SqsConfig, handler::RustackSqsHandler, provider::RustackSqs};
use rustack_sqs_http::{
    body::SqsResponseBody,
    dispatch::SqsHandler,
    response::json_response,
    service::{SqsHttpConfig, SqsHttpService},
};
use rustack_sqs_model::{
    error::SqsError,
    input::{CreateQueueInput, DeleteMessageInput, ReceiveMessageInput, SendMessageBatchInput},
    operations::SqsOperation,
    types::Message,
};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{net::TcpListener, task::JoinSet};
use uuid::Uuid;

pub(super) const QUEUE: &str = "admissions.fifo";

/// What happens to messages about somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The queue will never take them.
    Refused,
    /// SQS fails on them for now.
    NotNow,
}

/// The emulator with one FIFO queue.
pub(super) struct Sqs {
    pub(super) endpoint: String,
    pub(super) url: String,
    provider: Arc<RustackSqs>,
    faults: Arc<Faults>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Faults {
    away: AtomicBool,
    of: Mutex<HashMap<Uuid, Fault>>,
    /// The groups in each request to send.
    requests: Mutex<Vec<Vec<String>>>,
}

struct Handler {
    inner: RustackSqsHandler,
    faults: Arc<Faults>,
}

impl Sqs {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let provider = Arc::new(RustackSqs::new(SqsConfig {
            host: "127.0.0.1".to_owned(),
            port,
            ..SqsConfig::default()
        }));
        let queue = CreateQueueInput {
            queue_name: QUEUE.to_owned(),
            attributes: HashMap::from([("FifoQueue".to_owned(), "true".to_owned())]),
            ..CreateQueueInput::default()
        };
        let url = provider.create_queue(queue).await.unwrap().queue_url.unwrap();
        let faults = Arc::new(Faults::default());
        let handler = Arc::new(Handler {
            inner: RustackSqsHandler::new(Arc::clone(&provider)),
            faults: Arc::clone(&faults),
        });
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, handler, Arc::clone(&faults)));
        Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            url,
            provider,
            faults,
            _serving: serving,
        }
    }

    /// Whether whoever asks is cut off.
    pub(super) fn be_away(&self, away: bool) {
        self.faults.away.store(away, Ordering::SeqCst);
    }

    /// What happens to messages about `user` from now on.
    pub(super) fn fail(&self, user: Uuid, fault: Option<Fault>) {
        let mut of = self.faults.of.lock().unwrap();
        match fault {
            Some(fault) => of.insert(user, fault),
            None => of.remove(&user),
        };
    }

    /// The groups of each request so far.
    pub(super) fn requests(&self) -> Vec<Vec<String>> {
        self.faults.requests.lock().unwrap().clone()
    }

    /// Takes everything out, as a consumer does that deletes each before it asks for the next.
    pub(super) async fn receive_all(&self) -> Vec<Message> {
        let mut all = Vec::new();
        loop {
            let input = ReceiveMessageInput {
                queue_url: self.url.clone(),
                attribute_names: vec!["All".to_owned()],
                max_number_of_messages: Some(10),
                ..ReceiveMessageInput::default()
            };
            let received = self.provider.receive_message(input).await.unwrap().messages;
            if received.is_empty() {
                return all;
            }
            for message in received {
                let delete = DeleteMessageInput {
                    queue_url: self.url.clone(),
                    receipt_handle: message.receipt_handle.clone().unwrap(),
                };
                self.provider.delete_message(delete).await.unwrap();
                all.push(message);
            }
        }
    }
}

/// Who connects while it is away is cut off, and who is connected with the next request.
async fn serve(listener: TcpListener, handler: Arc<Handler>, faults: Arc<Faults>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        if faults.away.load(Ordering::SeqCst) {
            continue;
        }
        let service = SqsHttpService::new(Arc::clone(&handler), SqsHttpConfig::default());
        let faults = Arc::clone(&faults);
        let cut_off = hyper::service::service_fn(move |request| {
            let (service, away) = (service.clone(), faults.away.load(Ordering::SeqCst));
            async move {
                if away {
                    return Err(std::io::Error::other("away"));
                }
                let Ok(response) = hyper::service::Service::call(&service, request).await;
                Ok(response)
            }
        });
        connections.spawn(async move {
            // The client's keep-alive ends when it likes.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), cut_off)
                .await;
        });
    }
}

impl SqsHandler for Handler {
    fn handle_operation(
        &self,
        op: SqsOperation,
        body: Bytes,
    ) -> BoxFuture<'static, Result<Response<SqsResponseBody>, SqsError>> {
        if op != SqsOperation::SendMessageBatch {
            return self.inner.handle_operation(op, body);
        }
        let mut input: SendMessageBatchInput = serde_json::from_slice(&body).unwrap();
        let groups = input
            .entries
            .iter()
            .map(|entry| entry.message_group_id.clone().unwrap());
        self.faults.requests.lock().unwrap().push(groups.collect());
        let faults = self.faults.of.lock().unwrap().clone();
        let mut failed = Vec::new();
        input.entries.retain(|entry| {
            let fault = faults
                .iter()
                .find(|(user, _)| entry.message_body.contains(&user.to_string()));
            let Some((_, fault)) = fault else { return true };
            let code = match fault {
                Fault::Refused => "InvalidMessageContents",
                Fault::NotNow => "InternalError",
            };
            failed.push(json!({"Id": entry.id, "Code": code, "SenderFault": *fault == Fault::Refused}));
            false
        });
        if failed.is_empty() {
            return self.inner.handle_operation(op, body);
        }
        let others = (!input.entries.is_empty()).then(|| {
            self.inner
                .handle_operation(op, serde_json::to_vec(&input).unwrap().into())
        });
        Box::pin(async move {
            let mut answer = json!({"Successful": [], "Failed": []});
            if let Some(others) = others {
                let body = axum::body::Body::new(others.await?.into_body());
                answer = serde_json::from_slice(&axum::body::to_bytes(body, 1 << 20).await.unwrap()).unwrap();
            }
            match answer.get_mut("Failed").and_then(Value::as_array_mut) {
                Some(list) => list.extend(failed),
                None => answer["Failed"] = failed.into(),
            }
            Ok(json_response(serde_json::to_vec(&answer).unwrap(), "faulty"))
        })
    }
}

/// That no request carried two of one group: SQS could take the second and not the first.
pub(super) fn assert_one_of_each_group(requests: &[Vec<String>]) {
    for groups in requests {
        assert!(groups.len() <= 10, "{groups:?}");
        let distinct: HashSet<&String> = groups.iter().collect();
        assert_eq!(distinct.len(), groups.len(), "{groups:?}");
    }
}
