//! Random histories: a graph of scopes and what people, apps and services do with it.
//!
//! Everything is picked by number among what there is at that moment, so a step means
//! something wherever it stands, and a failing history can be made smaller by leaving
//! steps, scopes and edges out. How a history reads in words is the driver's business.

use proptest::collection::vec;
use proptest::prelude::*;

/// One of however many there are.
#[derive(Clone, Copy, Debug)]
pub struct Pick(u8);

impl Pick {
    pub const FIRST: Self = Self(0);

    pub fn number(number: u8) -> Self {
        Self(number)
    }

    pub fn among<T: Copy>(self, things: &[T]) -> Option<T> {
        let index = usize::from(self.0) % things.len().max(1);
        things.get(index).copied()
    }

    pub fn of(self, count: usize) -> usize {
        usize::from(self.0) % count
    }
}

#[derive(Clone, Debug)]
pub struct History {
    pub services: usize,
    pub scopes: Vec<ScopePlan>,
    /// So many of the first scopes depend on the next one: a chain.
    pub chain: usize,
    pub edges: Vec<EdgePlan>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
pub struct ScopePlan {
    pub service: Pick,
    pub allows_refresh: bool,
    /// About the edge to the next scope of the chain.
    pub optional: bool,
    pub offline: bool,
}

/// A declared dependency.
#[derive(Clone, Copy, Debug)]
pub struct EdgePlan {
    pub from: Pick,
    pub to: Pick,
    pub optional: bool,
    pub offline: bool,
    /// One that leads back to its beginning is refused. Some get into the store all the
    /// same, as two changes at once may leave it.
    pub planted: bool,
}

/// A tree of a request. What is asked for below a scope is mostly one with a higher number,
/// since a request that leads back to its beginning is refused.
#[derive(Clone, Debug)]
pub struct Wish {
    pub scope: Pick,
    pub anywhere: bool,
    pub optional: bool,
    pub below: Vec<Wish>,
}

#[derive(Clone, Debug)]
pub struct Login {
    pub person: Pick,
    pub app: Pick,
    pub wishes: Vec<Wish>,
    pub offline: bool,
    /// `prompt=consent`: the page is shown again.
    pub ask_again: bool,
    /// A bit for each optional place of the page.
    pub unticked: u8,
    pub deny: bool,
    /// Redeem the code at once.
    pub redeem: bool,
}

/// Which token a step takes.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    /// One for which dependent tokens can be had, the furthest down a chain.
    Deepest,
    Live(Pick),
    Any(Pick),
}

/// What a dependent grant asks for.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    Everything,
    /// Some of what can be had: a bit for each.
    Some(u8),
    /// The same and one more scope, whatever it is.
    More(u8, Pick),
}

#[derive(Clone, Debug)]
pub enum Step {
    Login(Login),
    /// A code from before.
    Redeem {
        code: Pick,
        used: bool,
    },
    Refresh {
        token: Pick,
        live: bool,
        /// A bit for each scope to keep; none keeps all.
        kept: Option<u8>,
    },
    Exchange {
        token: Which,
        offline: bool,
        wanted: Wanted,
        /// Another service than the one that the token is for.
        stranger: Option<Pick>,
    },
    /// Exchanges a token, what it gives, and so on down to the end of the chain.
    Descend {
        token: Pick,
        offline: bool,
    },
    Withdraw(Pick),
    RevokeToken {
        token: Which,
        refresh: bool,
        stranger: bool,
    },
    Declare(EdgePlan),
    AllowRefresh(Pick, bool),
    DeleteScope(Pick),
    DeleteService(Pick),
    DeleteApp(Pick),
    Disable(Pick),
    Enable(Pick),
    Unlink(Pick),
    /// A person, by number, ends all their sessions.
    EndSessions(Pick),
    Link(Pick),
}

fn pick() -> impl Strategy<Value = Pick> {
    any::<u8>().prop_map(Pick)
}

fn scope() -> impl Strategy<Value = ScopePlan> {
    (
        pick(),
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.4),
        any::<bool>(),
    )
        .prop_map(|(service, allows_refresh, optional, offline)| ScopePlan {
            service,
            allows_refresh,
            optional,
            offline,
        })
}

fn edge() -> impl Strategy<Value = EdgePlan> {
    (
        pick(),
        pick(),
        prop::bool::weighted(0.4),
        any::<bool>(),
        prop::bool::weighted(0.3),
    )
        .prop_map(|(from, to, optional, offline, planted)| EdgePlan {
            from,
            to,
            optional,
            offline,
            planted,
        })
}

fn wish() -> impl Strategy<Value = Wish> {
    // The first scopes are where chains begin.
    let scope = || prop_oneof![1 => (0_u8..3).prop_map(Pick), 2 => pick()];
    let leaf = (scope(), prop::bool::weighted(0.3)).prop_map(|(scope, optional)| Wish {
        scope,
        anywhere: false,
        optional,
        below: Vec::new(),
    });
    leaf.prop_recursive(3, 6, 2, move |inner| {
        let anywhere = prop::bool::weighted(0.1);
        (scope(), anywhere, prop::bool::weighted(0.4), vec(inner, 0..=2)).prop_map(
            |(scope, anywhere, optional, below)| Wish {
                scope,
                anywhere,
                optional,
                below,
            },
        )
    })
}

fn login() -> impl Strategy<Value = Login> {
    (
        pick(),
        pick(),
        vec(wish(), 1..=3),
        prop::bool::weighted(0.6),
        prop::bool::weighted(0.3),
        prop_oneof![2 => Just(0_u8), 3 => any::<u8>()],
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.85),
    )
        .prop_map(
            |(person, app, wishes, offline, ask_again, unticked, deny, redeem)| Login {
                person,
                app,
                wishes,
                offline,
                ask_again,
                unticked,
                deny,
                redeem,
            },
        )
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        5 => Just(Which::Deepest),
        4 => pick().prop_map(Which::Live),
        1 => pick().prop_map(Which::Any),
    ]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    prop_oneof![
        6 => Just(Wanted::Everything),
        3 => any::<u8>().prop_map(Wanted::Some),
        1 => (any::<u8>(), pick()).prop_map(|(some, more)| Wanted::More(some, more)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let stranger = prop_oneof![9 => Just(None), 1 => pick().prop_map(Some)];
    let exchange = (which(), any::<bool>(), wanted(), stranger);
    let refresh = (
        pick(),
        prop::bool::weighted(0.8),
        prop::option::weighted(0.3, any::<u8>()),
    );
    let revocation = (which(), any::<bool>(), prop::bool::weighted(0.2));
    prop_oneof![
        12 => login().prop_map(Step::Login),
        3 => (pick(), prop::bool::weighted(0.3)).prop_map(|(code, used)| Step::Redeem { code, used }),
        7 => refresh.prop_map(|(token, live, kept)| Step::Refresh { token, live, kept }),
        24 => exchange.prop_map(|(token, offline, wanted, stranger)| Step::Exchange { token, offline, wanted, stranger }),
        4 => (pick(), any::<bool>()).prop_map(|(token, offline)| Step::Descend { token, offline }),
        6 => pick().prop_map(Step::Withdraw),
        4 => revocation.prop_map(|(token, refresh, stranger)| Step::RevokeToken { token, refresh, stranger }),
        2 => edge().prop_map(Step::Declare),
        1 => (pick(), any::<bool>()).prop_map(|(scope, allows)| Step::AllowRefresh(scope, allows)),
        2 => pick().prop_map(Step::DeleteScope),
        1 => pick().prop_map(Step::DeleteService),
        1 => pick().prop_map(Step::DeleteApp),
        2 => pick().prop_map(Step::Disable),
        2 => pick().prop_map(Step::Enable),
        1 => pick().prop_map(Step::Unlink),
        1 => pick().prop_map(Step::EndSessions),
        1 => pick().prop_map(Step::Link),
    ]
}

pub fn history() -> impl Strategy<Value = History> {
    let chain = prop_oneof![5 => 0_usize..=4, 1 => 5_usize..=12];
    (
        1_usize..=5,
        vec(scope(), 2..=12),
        chain,
        vec(edge(), 0..=8),
        login(),
        vec(step(), 0..=40),
    )
        .prop_map(|(services, scopes, chain, edges, first, mut steps)| {
            steps.insert(0, Step::Login(first));
            History {
                services,
                scopes,
                chain,
                edges,
                steps,
            }
        })
}
