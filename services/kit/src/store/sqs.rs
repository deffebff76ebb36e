//! An SQS FIFO queue: the AWS SDK against AWS, or against an emulator.
//!
//! What a FIFO queue promises, and what hangs on it: messages of one group come out in the order in
//! which they were accepted, and a message whose deduplication id was accepted within the last five
//! minutes is accepted and dropped. So a sender that goes strictly forward within a group, and repeats
//! what it is not sure of before it goes on, keeps order and leaves no doubles.

use super::aws;
use crate::error::BoxError;
use crate::start::StartError;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use reqwest::Url;

/// Messages in one request, by SQS.
pub const BATCH_MAX: usize = 10;

/// A handle on one queue. Cheap to clone.
#[derive(Clone)]
pub struct FifoQueue {
    client: Client,
    url: String,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FifoMessage {
    /// Messages of one group stay in order; up to 128 characters.
    pub group: String,
    /// One of several with the same id within five minutes is kept; up to 128 characters.
    pub deduplication_id: String,
    /// What it says.
    pub body: String,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The queue has it.
    Accepted,
    /// The queue will never take it, and says why.
    Refused(String),
    /// Not this time, and why; the same message may be sent again.
    NotNow(String),
}

impl FifoQueue {
    /// The queue at `url`, at `endpoint` instead of AWS if given. Nothing is called yet. `variable` is
    /// where the URL comes from.
    ///
    /// # Errors
    /// When the URL is not one of a FIFO queue, or nothing says in which region AWS is to be asked.
    pub async fn connect(
        variable: &'static str,
        url: &str,
        endpoint: Option<&str>,
    ) -> Result<Self, StartError> {
        check(url).map_err(|problem| StartError::BadSetting { variable, problem })?;
        let config = aws::config(endpoint).await;
        if config.region().is_none() {
            return Err(StartError::MissingSetting {
                variable: "AWS_REGION",
                purpose: "an SQS queue is set, and requests to AWS are signed for a region",
            });
        }
        Ok(Self {
            client: Client::new(&config),
            url: url.to_owned(),
        })
    }

    /// Sends at most [`BATCH_MAX`] messages in one request; answers for each, in their order. One may
    /// fail while those behind it are accepted: messages whose order matters do not belong into one
    /// request.
    ///
    /// # Errors
    /// When it is not known of any what became of it.
    pub async fn send(&self, messages: &[FifoMessage]) -> Result<Vec<Sent>, BoxError> {
        let entries = messages.iter().enumerate().map(|(at, message)| {
            SendMessageBatchRequestEntry::builder()
                .id(at.to_string())
                .message_group_id(&message.group)
                .message_deduplication_id(&message.deduplication_id)
                .message_body(&message.body)
                .build()
        });
        let request = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.collect::<Result<_, _>>()?));
        let answer = request.send().await?;
        // Who is missing in the answer was, as far as we know, not accepted.
        let mut sent = vec![Sent::NotNow("SQS did not say what became of it".to_owned()); messages.len()];
        let accepted = answer
            .successful()
            .iter()
            .map(|entry| (entry.id(), Sent::Accepted));
        let failed = answer.failed().iter().map(|entry| {
            let why = format!(
                "{}: {}",
                entry.code(),
                entry.message().unwrap_or("no reason given")
            );
            let refused = entry.sender_fault() && !passes(entry.code());
            (
                entry.id(),
                if refused {
                    Sent::Refused(why)
                } else {
                    Sent::NotNow(why)
                },
            )
        });
        for (id, became) in accepted.chain(failed) {
            if let Some(slot) = id.parse().ok().and_then(|at: usize| sent.get_mut(at)) {
                *slot = became;
            }
        }
        Ok(sent)
    }
}

/// Whether a failure that SQS calls ours is none of the message's: too much at once, or a right or a key
/// that somebody will give.
fn passes(code: &str) -> bool {
    ["Throttl", "OverLimit", "AccessDenied", "KMS", "Kms"]
        .iter()
        .any(|part| code.contains(part))
}

/// What is wrong with `url` as the URL of a FIFO queue.
fn check(url: &str) -> Result<(), String> {
    const LIKE: &str = "it looks like https://sqs.REGION.amazonaws.com/ACCOUNT/NAME.fifo";
    let parsed = Url::parse(url).map_err(|error| format!("{error}; {LIKE}"))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(format!("it is no http or https URL; {LIKE}"));
    }
    let path: Vec<&str> = parsed.path().split('/').filter(|part| !part.is_empty()).collect();
    let [_account, name] = path[..] else {
        return Err(format!("its path is not an account and a queue's name; {LIKE}"));
    };
    if !name.ends_with(".fifo") {
        return Err(
            "the queue's name does not end with .fifo: a standard queue keeps no order; make a FIFO queue"
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_url_of_a_fifo_queue_is_taken() {
        let aws = "https://sqs.ap-northeast-2.amazonaws.com/123456789012/";
        assert_eq!(check(&format!("{aws}admissions.fifo")), Ok(()));
        assert_eq!(check("http://127.0.0.1:9324/000000000000/a.fifo"), Ok(()));
        for (url, says) in [
            (format!("{aws}admissions"), ".fifo"),
            (aws.to_owned(), "account and a queue"),
            ("admissions.fifo".to_owned(), "relative URL"),
            ("arn:aws:sqs:eu-west-1:1:a.fifo".to_owned(), "http"),
        ] {
            let problem = check(&url).unwrap_err();
            assert!(problem.contains(says), "{url}: {problem}");
        }
    }

    #[test]
    fn throttling_is_no_refusal_although_sqs_calls_it_ours() {
        for code in ["RequestThrottled", "KMS.ThrottlingException", "AccessDenied"] {
            assert!(passes(code), "{code}");
        }
        for code in ["InvalidMessageContents", "InvalidParameterValue"] {
            assert!(!passes(code), "{code}");
        }
    }
}
