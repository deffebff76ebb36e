//! urr-notification.
