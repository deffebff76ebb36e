//! What the control plane said to a look, so that a replay hears it again.

use crate::control_api::{ControlError, SaleState};
use crate::lease::NotLeading;
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use urr_core::sale::Problem;

/// What the control plane answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// The sale as it has it.
    State(Box<SaleState>),
    /// Nothing.
    Unreachable(String),
    /// No.
    Refused {
        /// What it said.
        message: String,
        /// The fields it named.
        problems: Vec<Problem>,
    },
    /// It was not asked.
    NotLeading,
    /// It failed.
    Failed {
        /// With which status.
        status: u16,
        /// What it said.
        message: String,
    },
}

impl From<&Result<SaleState, ControlError>> for Answer {
    fn from(answer: &Result<SaleState, ControlError>) -> Self {
        match answer {
            Ok(state) => Self::State(Box::new(state.clone())),
            Err(ControlError::Unreachable(error)) => Self::Unreachable(error.to_string()),
            Err(ControlError::Refused { message, problems }) => Self::Refused {
                message: message.clone(),
                problems: problems.clone(),
            },
            Err(ControlError::NotLeading(_)) => Self::NotLeading,
            Err(ControlError::Failed { status, message }) => Self::Failed {
                status: status.as_u16(),
                message: message.clone(),
            },
        }
    }
}

impl Answer {
    /// As it was heard.
    ///
    /// # Errors
    /// What was heard instead of the sale's state.
    pub fn heard(&self) -> Result<SaleState, ControlError> {
        Err(match self {
            Self::State(state) => return Ok((**state).clone()),
            Self::Unreachable(error) => ControlError::Unreachable(error.clone().into()),
            Self::Refused { message, problems } => ControlError::Refused {
                message: message.clone(),
                problems: problems.clone(),
            },
            Self::NotLeading => ControlError::NotLeading(NotLeading),
            Self::Failed { status, message } => ControlError::Failed {
                status: StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                message: message.clone(),
            },
        })
    }
}
