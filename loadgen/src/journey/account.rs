//! Who a visitor is once a login is needed: a minted access token, or a real registration.

use super::request::read;
use super::{Journey, Stage, Standing, World};
use crate::http::{Ask, Http, Passes};
use crate::measure::{Counters, Outcome, Step};
use crate::seed::{Dice, Purpose};
use crate::wire::LoggedIn;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;
use urr_kit::identity::{Identity, Role};
use uuid::Uuid;

/// A logged-in user.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user's id.
    pub user: Uuid,
    /// The access token.
    pub access: Arc<str>,
}

/// An account that is being registered; resolves to `None` when that failed.
pub type RealAccount = oneshot::Receiver<Option<Account>>;

impl World {
    /// The account of visitor `index`, minted with the services' own secret: bcrypt for 50,000
    /// people would measure bcrypt.
    #[must_use]
    pub fn mint(&self, index: u64) -> Account {
        let user = self.user_of(index);
        let identity = Identity {
            user_id: user,
            email: format!("visitor-{index}@drill.invalid"),
            role: Role::User,
        };
        Account {
            user,
            access: self.tokens.issue_access(&identity, self.clock.now()).into(),
        }
    }

    /// The user id of visitor `index`: the same for the same seed, another for another sale.
    #[must_use]
    pub fn user_of(&self, index: u64) -> Uuid {
        let mut dice = Dice::new(self.seed, index, Purpose::Account);
        uuid::Builder::from_random_bytes((dice.wide() ^ self.sale.as_u128()).to_be_bytes()).into_uuid()
    }
}

impl Journey {
    /// This visitor's account; waits for a real registration to finish.
    pub(super) async fn account(&mut self) -> Stage<Account> {
        let account = match self.account.take() {
            None => self.world.mint(self.index()),
            Some(real) => real.await.ok().flatten().ok_or(Outcome::Failed)?,
        };
        self.passes.access = Some(Arc::clone(&account.access));
        Ok(account)
    }
}

/// Registers and logs in visitor `index` at `due`, for real.
pub(crate) async fn register(
    world: Arc<World>,
    http: Arc<dyn Http>,
    index: u64,
    due: Instant,
    done: oneshot::Sender<Option<Account>>,
) {
    let mut standing = Standing::new(world.seed, index, 0, world.clock.us_from_start(due));
    // What registering decides must not change what the visitor decides later.
    standing.dice = Dice::new(world.seed, index, Purpose::Account);
    let mut journey = Journey::resume(world, http, standing);
    let account = journey.register(due).await.ok();
    if account.is_some() {
        Counters::add(&journey.world.live.counters.registered);
    }
    // The visitor may have given up waiting; then nobody needs the account.
    let _ = done.send(account);
}

impl Journey {
    async fn register(&mut self, due: Instant) -> Stage<Account> {
        self.stay_until(due).await?;
        // The sale's id keeps two drills on one database apart.
        let email = format!(
            "visitor-{}-{}@drill.invalid",
            self.index(),
            self.world.sale.simple()
        );
        let password = format!("{:032x}", self.standing.dice.wide());
        let body = serde_json::json!({
            "email": email, "password": password, "name": format!("Visitor {}", self.index()), "phone": "",
        });
        let none = Passes::default();
        let ask = Ask::post(self.world.paths.register.clone(), Some(body.to_string()), &none);
        let answer = self.request(Step::Register, due, ask).await?;
        // 400 after a retry means that the first try did register; the login will tell.
        if !matches!(answer.status, 200..=299 | 400) {
            return Err(Outcome::Failed);
        }
        let body = serde_json::json!({ "email": email, "password": password });
        let ask = Ask::post(self.world.paths.login.clone(), Some(body.to_string()), &none);
        let answer = self.request(Step::Login, Instant::now(), ask).await?;
        if !(200..300).contains(&answer.status) {
            return Err(Outcome::Failed);
        }
        let login: LoggedIn = read(&answer, Step::Login)?;
        Ok(Account {
            user: login.user.id,
            access: login.token.into(),
        })
    }
}
