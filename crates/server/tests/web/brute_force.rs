//! Guessing, factor by factor: how many tries an account and everybody together leave to
//! strangers, and that the owner gets in all the same (standards.md AA5, threats.md 20).

use std::net::{IpAddr, Ipv4Addr};

use http::{Method, StatusCode};
use portolan_db::params;

use crate::factors::{
    FACTOR, PASSKEY_LOGIN, add_passkey, copy, is_signed_in, mails, make_codes, present, present_passkey, seconds,
    set_up_app, sign_in_with, status,
};
use crate::support::{Authenticator, Browser, Form, Key, Request, TestServer, TestUser, otp};

/// What is guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Factor {
    Password,
    Otp,
    RecoveryCode,
    Passkey,
    PasskeyAlone,
}

const FACTORS: [Factor; 5] = [
    Factor::Password,
    Factor::Otp,
    Factor::RecoveryCode,
    Factor::Passkey,
    Factor::PasskeyAlone,
];

/// An account with what there is to be guessed, and the browser that its owner used before.
struct Account {
    user: TestUser,
    home: Browser,
    factor: Factor,
    secret: String,
    codes: Vec<String>,
    passkey: Option<Authenticator>,
}

impl Account {
    fn new(server: &TestServer, name: &str, factor: Factor) -> Self {
        let user = server.user(name).create();
        let home = server.browser_of(&user);
        let mut account = Self {
            user,
            home,
            factor,
            secret: String::new(),
            codes: Vec::new(),
            passkey: None,
        };
        match factor {
            Factor::Password => {}
            Factor::Otp | Factor::RecoveryCode => {
                account.secret = set_up_app(&account.home);
                account.codes = make_codes(&account.home);
            }
            Factor::Passkey | Factor::PasskeyAlone => {
                let mut passkey = Authenticator::new(server);
                add_passkey(&account.home, &mut passkey);
                account.passkey = Some(passkey);
            }
        }
        account
    }

    fn server(&self) -> &TestServer {
        self.home.server()
    }

    /// The passkey as a stranger would have it: everything but its key.
    fn false_passkey(&self) -> Authenticator {
        let mut liar = copy(self.server(), self.passkey.as_ref().unwrap());
        liar.key = Key::es256();
        liar
    }

    /// A code that is none of those around now.
    fn wrong_code(&self) -> String {
        let around: Vec<String> = (-2..=2)
            .map(|step| otp(&self.secret, seconds(self.server()) + 30 * step))
            .collect();
        (0..)
            .map(|code| format!("{code:06}"))
            .find(|code| !around.contains(code))
            .unwrap()
    }

    /// One guess in a browser that nobody has used before. The stranger has the password if
    /// something else is to be guessed.
    fn guess(&self) -> (StatusCode, Option<String>) {
        let browser = self.server().browser();
        let outcome = match self.factor {
            Factor::Password => browser.try_login(&self.user.username, "a guess"),
            Factor::PasskeyAlone => {
                browser.get("/p/login");
                let credential = self.false_passkey().get(&browser.passkey_options(PASSKEY_LOGIN));
                sign_in_with(&browser, &credential)
            }
            _ => {
                let outcome = browser.try_login(&self.user.username, &self.user.password);
                if !browser.path().starts_with(FACTOR) {
                    outcome
                } else {
                    match self.factor {
                        Factor::Otp => present(&browser, "otp", &self.wrong_code()),
                        Factor::RecoveryCode => present(&browser, "recovery_code", "0000-0000-0000-0000-0000-0000"),
                        _ => present_passkey(&browser, &self.false_passkey()),
                    }
                }
            }
        };
        assert!(!is_signed_in(&browser.clone()));
        (
            status(&outcome),
            outcome.page().header("retry-after").map(str::to_owned),
        )
    }

    /// The owner signs out and in again where they have been before.
    fn owner_gets_in(&self) {
        let browser = self.home.clone();
        browser.get("/v2/web/logout");
        browser.submit(&browser.form());
        assert!(!is_signed_in(&browser));
        browser.get("/p/login");
        if self.factor == Factor::PasskeyAlone {
            let credential = self
                .passkey
                .as_ref()
                .unwrap()
                .get(&browser.passkey_options(PASSKEY_LOGIN));
            sign_in_with(&browser, &credential);
        } else {
            browser.login(&self.user);
        }
        match self.factor {
            Factor::Otp => drop(present(&browser, "otp", &otp(&self.secret, seconds(self.server())))),
            Factor::RecoveryCode => drop(present(&browser, "recovery_code", &self.codes[0])),
            Factor::Passkey => drop(present_passkey(&browser, self.passkey.as_ref().unwrap())),
            Factor::Password | Factor::PasskeyAlone => {}
        }
        assert!(is_signed_in(&browser), "{:?}", self.factor);
    }
}

/// Per account: whoever guesses all day long, from always new browsers and addresses, gets a
/// hundred tries and then four an hour.
#[test]
fn a_day_of_guessing_at_one_account_gives_few_tries_and_its_owner_gets_in() {
    for factor in FACTORS {
        let server = TestServer::with(|config| config.limits.failed_logins_per_minute = 1_000_000);
        let account = Account::new(&server, "alice", factor);
        server.advance_seconds(60);
        let end = server.now() + std::time::Duration::from_secs(86_400);
        let mut tries = 0;
        while server.now() < end {
            match account.guess() {
                (StatusCode::UNAUTHORIZED, _) if factor != Factor::PasskeyAlone => tries += 1,
                // A signature cannot be guessed, so a passkey is always looked at. Wrong ones
                // count like all others, and no more than these.
                (StatusCode::UNAUTHORIZED, _) => server.advance_seconds(301),
                (StatusCode::TOO_MANY_REQUESTS, wait) => {
                    server.advance_seconds(wait.expect("it says how long").parse().unwrap());
                }
                (status, _) => panic!("{factor:?}: {status}"),
            }
        }
        assert!(tries <= 100 + 4 * 24, "{factor:?}: {tries}");
        assert!(tries >= 100 || factor == Factor::PasskeyAlone, "{factor:?}: {tries}");
        account.owner_gets_in();
    }
}

fn request(browser: &Browser, form: &Form, number: u8) -> Request {
    let fields: Vec<(&str, &str)> = form
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let cookies: Vec<String> = browser
        .cookies()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let address = IpAddr::V4(Ipv4Addr::new(198, 51, 100, number));
    let request = browser.server().request(Method::POST, &form.action).form(&fields);
    request.header("cookie", &cookies.join("; ")).from(address)
}

/// Whoever guesses in parallel gets no more tries than one after the other.
#[test]
fn a_burst_of_guesses_gets_five_tries() {
    for factor in [Factor::Password, Factor::Otp, Factor::RecoveryCode, Factor::Passkey] {
        let server = TestServer::with(|config| config.limits.failed_logins_per_minute = 1_000_000);
        let account = Account::new(&server, "alice", factor);
        server.advance_seconds(60);
        let guesses = (0..40).map(|number| {
            let browser = server.browser();
            browser.get("/p/login");
            if factor == Factor::Password {
                let form = browser.form().set("username", &account.user.username);
                return request(&browser, &form.set("password", "a guess"), number);
            }
            browser.login(&account.user);
            let form = browser.form_with(FACTOR, "login");
            let form = match factor {
                Factor::Otp => form.set("otp", &account.wrong_code()),
                Factor::RecoveryCode => form.set("recovery_code", "0000-0000-0000-0000-0000-0000"),
                _ => {
                    let credential = account.false_passkey().get(&browser.passkey_options(FACTOR));
                    form.set("credential", &credential.to_string())
                }
            };
            request(&browser, &form, number)
        });
        let answers = server.at_once(guesses.collect());
        let tries = answers.iter().filter(|answer| answer.status == 401).count();
        let refused = answers.iter().filter(|answer| answer.status == 429).count();
        assert_eq!((tries, refused), (5, 35), "{factor:?}");
        account.owner_gets_in();
    }
}

/// The page of the signed-in person that asks for the password once more is no other door:
/// neither in parallel nor for an address.
#[test]
fn the_present_password_cannot_be_guessed_on_the_page_that_changes_it() {
    const PASSWORD: &str = "/p/account/security/password";
    let new = "another very long and unlikely phrase";
    let fill = |browser: &Browser| {
        browser.get(PASSWORD);
        let form = browser.form().set("password_now", "a guess").set("password", new);
        form.set("password_again", new)
    };
    let server = TestServer::new();
    let alice = server.user("alice").create();
    let thief = server.browser_of(&alice);
    let guesses = (0..40).map(|number| request(&thief, &fill(&thief), number));
    let answers = server.at_once(guesses.collect());
    let tried = answers
        .iter()
        .filter(|answer| answer.text().contains("not your present password"))
        .count();
    assert_eq!(tried, 5);
    let counted = server.count(
        "SELECT count(*) FROM audit_events WHERE action = 'login.refused'",
        params![],
    );
    assert_eq!(counted, 5);

    let server = TestServer::with(|config| config.limits.logins_per_minute = 3);
    let alice = server.user("alice").create();
    let thief = server.browser_of(&alice);
    let statuses: Vec<u16> = (0..3)
        .map(|_| request(&thief, &fill(&thief), 1).send().status.as_u16())
        .collect();
    assert_eq!(statuses, [400, 400, 400]);
    assert_eq!(request(&thief, &fill(&thief), 1).send().status, 429);
    assert_eq!(request(&thief, &fill(&thief), 2).send().status, 400, "from elsewhere");
}

/// Globally: guesses at many accounts, one each, from many addresses.
#[test]
fn guesses_at_many_accounts_stop_strangers_everywhere_and_no_owner() {
    for factor in FACTORS {
        let server = TestServer::with(|config| config.limits.failed_logins_per_minute = 2);
        let accounts: Vec<Account> = (0..8)
            .map(|number| Account::new(&server, &format!("person{number}"), factor))
            .collect();
        server.advance_seconds(60);
        let tried = accounts
            .iter()
            .filter(|account| account.guess().0 == StatusCode::UNAUTHORIZED)
            .count();
        assert!((2..=3).contains(&tried), "{factor:?}: {tried}");
        let stranger = server.browser();
        let outcome = stranger.try_login(&accounts[7].user.username, &accounts[7].user.password);
        assert_eq!(status(&outcome), StatusCode::TOO_MANY_REQUESTS, "{factor:?}");
        accounts[0].owner_gets_in();
        accounts[7].owner_gets_in();
    }
}

/// The owner learns that their password is known, however many guesses went before it.
#[test]
fn who_has_found_the_password_is_told_of_although_many_guesses_went_before() {
    const SUBJECT: &str = "Somebody knows your password";
    let server = TestServer::with(|config| config.limits.failed_logins_per_minute = 1_000_000);
    let account = Account::new(&server, "alice", Factor::Otp);
    let pause = || server.advance_seconds(61);
    for _ in 0..9 {
        pause();
        let outcome = server.browser().try_login(&account.user.username, "a guess");
        assert_eq!(status(&outcome), StatusCode::UNAUTHORIZED);
    }
    for number in 1..=8 {
        pause();
        assert_eq!(account.guess().0, StatusCode::UNAUTHORIZED);
        assert_eq!(mails(&server, SUBJECT), i64::from(number >= 5), "{number}");
    }
}

/// A wrong passkey does not keep the account blocked for ever.
#[test]
fn wrong_passkeys_count_no_more_than_other_guesses() {
    let server = TestServer::with(|config| config.limits.failed_logins_per_minute = 1_000_000);
    let account = Account::new(&server, "alice", Factor::PasskeyAlone);
    server.advance_seconds(60);
    for _ in 0..30 {
        assert_eq!(account.guess().0, StatusCode::UNAUTHORIZED);
    }
    let most = server.count("SELECT max(failures) FROM failure_counters", params![]);
    assert_eq!(most, 5);
    account.owner_gets_in();
}
