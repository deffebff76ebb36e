//! Connections to the engines, with the limits and timeouts of the house.
//!
//! Why one place: the bounds below are what keeps a slow engine from becoming a dead service, and
//! each is a number somebody should be able to find.

mod aws;
pub mod bucket;
pub mod dynamo;
pub mod postgres;
pub mod redis;
pub mod sqs;

pub use bucket::Bucket;
pub use dynamo::Dynamo;
pub use redis::{Redis, RedisConn};
pub use sqs::FifoQueue;
