//! The story, step by step. Each request is made by whoever makes it in earnest: Alice by her
//! browser, the app and the services by the SDK.

use anyhow::{Context as _, Result};
use portolan_sdk::documents::Consent;
use portolan_sdk::scopes::GroupsScopes;
use portolan_sdk::{
    AccessTokenAuthorizer, AuthClient, ConfidentialAppAuthClient, ConsentForest, ConsentId, DependentTokenRequest,
    FlowOptions, IdTokenDecoder, Secret, TokenResponse,
};

use super::browser::Browser;
use super::report::Report;
use super::stage::{CALLBACK, Service, Stage};
use crate::output::{self, Branch};

/// Lets the portal show people what they allowed it.
const VIEW_CONSENTS: &str = "urn:globus:auth:scope:auth.globus.org:view_consents";
const GROUPS: &str = GroupsScopes::VIEW_MY_GROUPS_AND_MEMBERSHIPS;

/// The programs of the story.
struct Cast<'a> {
    stage: &'a Stage,
    portal: ConfidentialAppAuthClient,
    beamline: ConfidentialAppAuthClient,
    archive: ConfidentialAppAuthClient,
    index: ConfidentialAppAuthClient,
}

/// A token with the one that renews it.
struct Held {
    access: Secret,
    refresh: Secret,
}

pub async fn tell(stage: &Stage, report: &mut Report) -> Result<()> {
    let cast = Cast {
        portal: stage.client(&stage.portal)?,
        beamline: stage.client(&stage.beamline.client)?,
        archive: stage.client(&stage.archive.client)?,
        index: stage.client(&stage.index.client)?,
        stage,
    };
    let mut alice = Browser::new(&stage.address)?;
    introduce(stage, report).await?;
    let tokens = log_in(&cast, &mut alice, report).await?;
    let (trunk, branch) = look_at_consents(&cast, &tokens, report).await?;
    let at_beamline = held(&tokens, &stage.beamline)?;
    call_beamline(&cast, &at_beamline, report).await?;
    let (at_archive, at_index) = call_on(&cast, &at_beamline, report).await?;
    take_back(&mut alice, branch, report).await?;
    ask_again(&cast, &at_beamline, &at_archive, &at_index, report).await?;
    let at_archive = renew(&cast, &at_beamline, &at_archive, &at_index, report).await?;
    take_back_everything(&mut alice, trunk, report).await?;
    end(&cast, &tokens, &at_beamline, &at_archive, report).await
}

async fn introduce(stage: &Stage, report: &mut Report) -> Result<()> {
    report
        .step(
            "The stage",
            "A server on an empty store. Its operator has added a person, Alice, and the project Light Source has \
             registered an app and three services. The scope of the first service depends on those of two more: \
             whoever allows it allows the branches below with it, and one of them may be left out.",
        )
        .await?;
    let leaf = |lines: &[&str], children| Branch {
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        children,
    };
    let needs = vec![
        leaf(&["Archive: Keep files"], Vec::new()),
        leaf(&["Index: Make findable (optional)"], Vec::new()),
    ];
    let picture = format!(
        "{:<24}  the server\n{:<24}  a person\n{:<24}  an app, which asks for\n{}",
        stage.address,
        stage.alice.username,
        "Data Portal",
        output::tree(&[leaf(&["Beamline: Run scans, which needs"], needs)])
    );
    report.show("who is there", &picture)
}

async fn log_in(cast: &Cast<'_>, alice: &mut Browser, report: &mut Report) -> Result<TokenResponse> {
    let stage = cast.stage;
    report
        .step(
            "Alice signs in and allows",
            "The portal asks for three services at once: Auth itself, Groups, and Beamline with all that it needs.",
        )
        .await?;
    let scopes = format!("openid profile email {VIEW_CONSENTS} {GROUPS} {}", stage.beamline.scope);
    let flow = cast
        .portal
        .start_flow(CALLBACK, FlowOptions::new(scopes.as_str())?.refresh_tokens(true))?;

    let place = alice.open(&flow.authorize_url()).await?;
    report.exchanges(
        "The portal sends Alice's browser to the server. `state` binds the answer to this browser, `code_challenge` \
         (PKCE) to this portal.",
    )?;
    let page = alice.open(place.sent_to()?.as_str()).await?.page()?;
    report.exchanges("Nobody is signed in yet, so the server asks who she is.")?;
    let typed = [
        ("username", stage.alice.username.as_str()),
        ("password", stage.alice.password.expose()),
    ];
    let place = alice.submit(&page, &typed).await?;
    report.exchanges("Alice types her password. Her browser gets a new cookie, and the login is on record.")?;
    let place = alice.open(place.sent_to()?.as_str()).await?;
    let page = alice.open(place.sent_to()?.as_str()).await?.page()?;
    report.exchanges("The request goes on where it was parked, and comes to the question what the portal may do.")?;
    for name in ["Run scans", "Keep files", "Make findable"] {
        report.check(page.says(name), &format!("the page names “{name}”"))?;
    }
    let place = alice.submit(&page, &[("decision", "allow")]).await?;
    let came_back = alice.open(place.sent_to()?.as_str()).await?.sent_to()?;
    report.exchanges("Alice allows all of it, and her browser goes back to the portal with a code.")?;
    let at_home = came_back.as_str().starts_with(CALLBACK);
    report.check(at_home, "the browser is sent to the address that the portal registered")?;

    let tokens = flow.complete(came_back.as_str()).await?;
    report.exchanges(
        "The portal checks `state` and `iss`, and redeems the code: one answer with a token for each service, and \
         none of them is good for another.",
    )?;
    let servers: Vec<&str> = tokens.by_resource_server().keys().map(String::as_str).collect();
    let beamline = stage.beamline.client.id.to_string();
    let expected = [
        AuthClient::RESOURCE_SERVER,
        GroupsScopes::RESOURCE_SERVER,
        beamline.as_str(),
    ];
    report.check(
        servers.len() == 3 && expected.iter().all(|name| servers.contains(name)),
        "there are tokens for Auth, Groups and Beamline, found by `by_resource_server`",
    )?;
    let claims = tokens
        .decode_id_token(&IdTokenDecoder::new(&cast.portal).check_issuer())
        .await?;
    report.exchanges("The ID token says who signed in; its signature is checked with the server's public keys.")?;
    report.check(claims.sub == stage.alice.id, "the ID token is about Alice")?;
    Ok(tokens)
}

/// Returns the consents for Beamline and, below it, for Index.
async fn look_at_consents(
    cast: &Cast<'_>,
    tokens: &TokenResponse,
    report: &mut Report,
) -> Result<(ConsentId, ConsentId)> {
    let stage = cast.stage;
    report
        .step(
            "What Alice allowed is a tree",
            "Each service has a consent of its own, below that of whoever calls it. Tokens rest on these rows.",
        )
        .await?;
    let token = tokens.by_resource_server()[AuthClient::RESOURCE_SERVER]
        .access_token
        .expose();
    let auth = AuthClient::with_options(AccessTokenAuthorizer::new(token), stage.options("Data Portal"))?;
    let forest = auth.get_consents(Some(stage.alice.id), false).await?.to_forest()?;
    report.exchanges("The portal asks for the consents that it lives on.")?;
    let trees: Vec<Branch> = forest
        .trees()
        .iter()
        .map(|tree| branch(&forest, tree.root(), cast))
        .collect();
    report.show("consents", &output::tree(&trees))?;
    let required = format!(
        "{}[{} {}]",
        stage.beamline.scope, stage.archive.scope, stage.index.scope
    );
    report.check(
        forest.meets_scope_requirements(required.as_str())?,
        "Archive and Index hang below Beamline",
    )?;
    let find = |service: &Service| forest.nodes().iter().find(|node| node.scope_name == service.scope);
    let beamline = find(&stage.beamline).context("no consent for Beamline")?;
    let archive = find(&stage.archive).context("no consent for Archive")?;
    let index = find(&stage.index).context("no consent for Index")?;
    report.check(
        index.atomically_revocable && !archive.atomically_revocable,
        "Index may be taken back alone, Archive only with the whole tree",
    )?;
    Ok((beamline.id, index.id))
}

fn branch(forest: &ConsentForest, consent: &Consent, cast: &Cast<'_>) -> Branch {
    let stage = cast.stage;
    let services = [&stage.beamline, &stage.archive, &stage.index];
    let service = services.iter().find(|service| service.scope == consent.scope_name);
    let name = match service {
        Some(service) => format!("{}: {}", service.client.name, consent.scope_name),
        None => consent.scope_name.clone(),
    };
    let children = forest.children(consent.id).filter_map(|id| forest.get(id));
    Branch {
        lines: vec![name],
        children: children.map(|child| branch(forest, child, cast)).collect(),
    }
}

async fn call_beamline(cast: &Cast<'_>, at_beamline: &Held, report: &mut Report) -> Result<()> {
    report
        .step(
            "The portal calls Beamline",
            "It sends its token for Beamline along. A service knows nothing about a token by itself: it asks the \
             server, each time.",
        )
        .await?;
    let about = cast.beamline.introspect(at_beamline.access.expose()).await?;
    report.exchanges("Beamline asks what the token is worth.")?;
    report.check(about.active, "the token is active")?;
    report.check(about.sub == Some(cast.stage.alice.id), "it speaks for Alice")?;
    report.check(
        about.has_scope(&cast.stage.beamline.scope),
        "it has the scope of Beamline",
    )?;
    let elsewhere = cast.index.introspect(at_beamline.access.expose()).await?;
    report.exchanges("Had the token been sent to Index instead, Index would learn nothing from it.")?;
    report.check(!elsewhere.active, "the token is worth nothing at another service")
}

async fn call_on(cast: &Cast<'_>, at_beamline: &Held, report: &mut Report) -> Result<(Held, Held)> {
    let stage = cast.stage;
    report
        .step(
            "Beamline calls on",
            "It may not pass on what it was given. It exchanges the token for others: one for each service below, in \
             one answer, and for nothing that Alice did not allow.",
        )
        .await?;
    let request = DependentTokenRequest::new(at_beamline.access.expose()).refresh_tokens(true);
    let dependent = cast.beamline.dependent_tokens(request).await?;
    report.exchanges(
        "Beamline asks for its dependent tokens, and for refresh tokens: it works on while Alice is away.",
    )?;
    report.check(
        dependent.by_resource_server().len() == 2,
        "there are tokens for Archive and Index, and for nobody else",
    )?;
    let (at_archive, at_index) = (held(&dependent, &stage.archive)?, held(&dependent, &stage.index)?);
    for (service, name, client, held) in [
        (&stage.archive, "Archive", &cast.archive, &at_archive),
        (&stage.index, "Index", &cast.index, &at_index),
    ] {
        let about = client.introspect(held.access.expose()).await?;
        report.exchanges(&format!(
            "Beamline calls {name}, and {name} asks about the token that came."
        ))?;
        let expected = about.active && about.sub == Some(stage.alice.id) && about.has_scope(&service.scope);
        report.check(expected, &format!("{name} knows that it works for Alice"))?;
        let by_beamline = about.client_id == Some(stage.beamline.client.id);
        report.check(by_beamline, &format!("{name} knows that it was Beamline that asked"))?;
    }
    Ok((at_archive, at_index))
}

async fn take_back(alice: &mut Browser, consent: ConsentId, report: &mut Report) -> Result<()> {
    report
        .step(
            "Alice takes one branch back",
            "Her scans shall no longer be findable. She opens the page of her permissions; no app and no service has \
             to help with that, and none is told.",
        )
        .await?;
    let page = alice.open(&format!("/v2/web/consents/{consent}")).await?.page()?;
    report.exchanges("The page says what will stop and what stays, before it does anything.")?;
    report.check(
        page.says("Make findable") && page.says("What stays"),
        "the page names what ends, and that the rest stays",
    )?;
    let place = alice.submit(&page, &[]).await?;
    report.exchanges("Alice withdraws it. One row of the tree is gone; no token was touched.")?;
    alice.open(place.sent_to()?.as_str()).await?.page()?;
    report.exchanges("Her list shows what is left.")
}

async fn ask_again(
    cast: &Cast<'_>,
    at_beamline: &Held,
    at_archive: &Held,
    at_index: &Held,
    report: &mut Report,
) -> Result<()> {
    report
        .step(
            "The token is dead",
            "The next call to Index is refused: the very next one, on every node, and not when the token would have \
             run out.",
        )
        .await?;
    let about = cast.index.introspect(at_index.access.expose()).await?;
    report.exchanges("Beamline calls Index again with the token from before, and Index asks about it.")?;
    report.check(!about.active, "Index hears that the token is dead, and nothing more")?;
    let about = cast.archive.introspect(at_archive.access.expose()).await?;
    report.exchanges("Archive hears about its token what it heard before.")?;
    report.check(about.active, "the other branch lives on")?;
    let about = cast.beamline.introspect(at_beamline.access.expose()).await?;
    report.exchanges("So does Beamline.")?;
    report.check(about.active, "the trunk lives on")
}

/// Returns the renewed token for the Archive.
async fn renew(
    cast: &Cast<'_>,
    at_beamline: &Held,
    at_archive: &Held,
    at_index: &Held,
    report: &mut Report,
) -> Result<Held> {
    let stage = cast.stage;
    report
        .step(
            "Nor does it come back",
            "A refresh token renews what is allowed, and nothing else.",
        )
        .await?;
    let refused = cast.beamline.refresh_token(at_index.refresh.expose()).await;
    report.exchanges("Beamline tries to renew its token for Index.")?;
    report.check(
        is_refused(&refused, "invalid_grant"),
        "the refresh token for Index is dead, too",
    )?;
    let request = DependentTokenRequest::new(at_beamline.access.expose()).scopes(stage.index.scope.as_str())?;
    let refused = cast.beamline.dependent_tokens(request).await;
    report.exchanges("It asks for a new one by name. The refusal says what the portal has to ask Alice for.")?;
    let gare = refused.as_ref().err().and_then(portolan_sdk::Error::gare);
    report.check(
        refused.is_err() && gare.is_some_and(|gare| gare.code == "ConsentRequired"),
        "the answer names the consent that is missing",
    )?;
    let renewed = cast.beamline.refresh_token(at_archive.refresh.expose()).await?;
    let at_archive = held(&renewed, &stage.archive)?;
    let about = cast.archive.introspect(at_archive.access.expose()).await?;
    report.exchanges("The token for Archive is renewed as ever, and the new one is active.")?;
    report.check(about.active, "the refresh token for Archive lives")?;
    let renewed = cast.portal.refresh_token(at_beamline.refresh.expose()).await?;
    report.exchanges("So is the portal's own token for Beamline.")?;
    report.check(
        renewed.by_resource_server().len() == 1,
        "the refresh token for Beamline lives",
    )?;
    Ok(at_archive)
}

async fn take_back_everything(alice: &mut Browser, consent: ConsentId, report: &mut Report) -> Result<()> {
    report
        .step(
            "Alice takes everything back",
            "She is done with the portal. What hangs below it ends with it, however far down.",
        )
        .await?;
    let address = format!("/v2/web/consents/{consent}?extent=app");
    let page = alice.open(&address).await?.page()?;
    alice.submit(&page, &[]).await?.sent_to()?;
    report.exchanges("Alice withdraws all that the portal may do.")
}

async fn end(
    cast: &Cast<'_>,
    tokens: &TokenResponse,
    at_beamline: &Held,
    at_archive: &Held,
    report: &mut Report,
) -> Result<()> {
    let about = cast.archive.introspect(at_archive.access.expose()).await?;
    report.exchanges("Archive asks about the token that was renewed a moment ago.")?;
    report.check(
        !about.active,
        "the token for Archive is dead, two services further down",
    )?;
    let refused = cast.portal.refresh_token(at_beamline.refresh.expose()).await;
    report.exchanges("The portal tries to renew.")?;
    report.check(
        is_refused(&refused, "invalid_grant"),
        "the portal's refresh token is dead",
    )?;
    let token = tokens.by_resource_server()[AuthClient::RESOURCE_SERVER]
        .access_token
        .expose();
    let auth = AuthClient::with_options(AccessTokenAuthorizer::new(token), cast.stage.options("Data Portal"))?;
    let refused = auth.userinfo().await;
    report.exchanges("And it can no longer ask who Alice is.")?;
    let status = refused
        .as_ref()
        .err()
        .and_then(portolan_sdk::Error::api)
        .map(|error| error.status());
    report.check(status == Some(401), "Auth itself refuses the portal's token")
}

fn held(tokens: &TokenResponse, service: &Service) -> Result<Held> {
    let name = service.client.name;
    let token = tokens.by_resource_server().get(&service.client.id.to_string());
    let token = token.with_context(|| format!("no token for {name}"))?;
    let refresh = token.refresh_token.clone();
    Ok(Held {
        access: token.access_token.clone(),
        refresh: refresh.with_context(|| format!("no refresh token for {name}"))?,
    })
}

fn is_refused(answer: &portolan_sdk::Result<TokenResponse>, error: &str) -> bool {
    let refusal = answer.as_ref().err().and_then(portolan_sdk::Error::api);
    refusal.is_some_and(|refusal| refusal.status() == 400 && refusal.oauth_error() == Some(error))
}
