//! urr-queue.
