# The operator console, for administrators of the server.

console-title = Operator console
console-intro = Whatever you do here is written into the audit trail under your name. A change needs a sign-in of the last ten minutes.
console-commands = Everything here is a command too: see { $command } on the server.
console-areas = Parts of the console
console-area-start = Overview
console-area-people = People
console-area-providers = Identity providers
console-area-clients = Apps
console-area-audit = Audit trail
console-area-keys = Keys
console-area-server = Server
console-start-people = People: find somebody, switch an account off, sign somebody out, help somebody back in
console-start-providers = Identity providers: where people sign in, and what went wrong there
console-start-clients = Apps and services: find one, see what it has, switch it off
console-start-audit = Audit trail: who did what, and when
console-start-keys = Signing keys: which sign now, and changing them
console-start-server = Server: its health, its store and its nodes

console-search = Search
console-next = Next page
console-save = Save
console-cancel = Cancel
console-keep = Leave everything as it is
console-refused = This was not done
console-yes = yes
console-no = no
console-never = never
console-id = Id
console-name = Name
console-email = E-mail
console-organization = Organisation
console-provider = Identity provider
console-kind = Kind
console-created = Since
console-administrator = Administrator
console-primary = Primary
console-actions = What you can do
console-disable = Switch off
console-enable = Switch on
console-delete = Delete

console-state-disabled = switched off
console-state-provider-disabled = provider switched off
console-state-unused = never signed in
console-state-closed = closed

# People
console-people-title = People
console-people-search = Find somebody
console-people-hint = How the username, the name or the e-mail address begins; or the id.
console-people-none = Nobody was found. Try fewer letters.
console-people-cut = There are more than fit on one page. See all of them:
console-people-more-username = by username
console-people-more-name = by name
console-people-more-email = by e-mail address
console-last-authentication = Last sign-in
console-factors = Second factors
console-factors-none = None: the password alone protects this account.
console-factor-totp = Authenticator app
console-factor-passkey = Passkey “{ $name }”
console-since = since { $since }
console-last-used = last used { $used }
console-not-used = not used yet
console-recovery-codes =
    { $count ->
        [0] No recovery codes are left.
        [one] One recovery code is left.
       *[other] { $count } recovery codes are left.
    }
console-sessions = Signed in
console-sessions-none = Nowhere.
console-session-live = signed in
console-session-apps = only apps go on
console-session-of = Apps: { $apps }
console-last-seen = last seen { $seen }
console-end-session = End it
console-recent = What happened lately
console-recent-none = Nothing is in the audit trail.
console-trail = All of it in the audit trail

console-disable-person = Switch the account off
console-disable-person-title = Switch off { $username }?
console-disable-person-text = Nobody can sign in with the account any more. Its sessions end, and tokens that speak for it are inactive at once. The person is told by mail. You can switch it on again.
console-enable-person = Switch the account on
console-enable-person-title = Switch on { $username }?
console-enable-person-text = The person can sign in again. Sessions and tokens from before stay ended.
console-end-sessions = Sign out everywhere
console-end-sessions-title = Sign out { $username } everywhere?
console-end-sessions-text = Every browser in which the person is signed in with this or a linked account is signed out, and what apps got through those sessions ends. Consents stay.
console-send-reset = Send a link for a new password
console-send-reset-title = Send { $username } a link?
console-send-reset-text = A link to choose a new password goes to the e-mail address of the account. It works for ten minutes, and nobody else learns it. Nothing changes until it is used.
console-remove-factors = Remove every second factor
console-remove-factors-title = Remove the second factors of { $username }?
console-remove-factors-text = Afterwards the password alone is enough to sign in. This is for a person who has lost all of them. Be sure who asks you: it is what somebody would ask for who has their password.

console-notice-disabled = The account is switched off. Its sessions and tokens have ended.
console-notice-enabled = The account is switched on.
console-notice-signed-out = It has ended, with what apps got through it.
console-notice-link-sent = The link is on its way.
console-notice-factors-removed = The second factors are gone. The password alone is enough now.

# Identity providers
console-providers-title = Identity providers
console-providers-search = Find one
console-providers-hint = A part of its name, its short name or its domain.
console-providers-state = State
console-providers-all = All
console-providers-enabled = Switched on
console-providers-disabled = Switched off
console-providers-none = None was found.
console-providers-more = There are more. Write more of the name to find others.
console-built-in = built in
console-built-in-text = It is built in and stays as it is.
console-kind-oidc = OpenID Connect
console-kind-oauth2 = OAuth 2.0
console-kind-local = accounts of this server
console-kind-client = apps that act as themselves
console-kind-placeholder = known by name only
console-preset = Preset
console-provider-add = Add an identity provider
console-provider-add-text = Choose what is known about it beforehand. For any other OpenID Connect provider choose “generic”.
console-provider-edit = Change it
console-provider-new-title = Add an identity provider
console-provider-edit-title = Change { $name }
console-provider-preset = Preset: { $preset }
console-provider-further = Further settings
console-provider-tenant-missing = Enter the id or the domain of the tenant.
console-redirect-uri = Redirect URI
console-redirect-uri-text = Register this address at the provider:
console-secret-kept = kept, never shown
console-secret-none = none
console-secret-stays = There is one. Leave this empty to keep it.
console-secret-new = As the provider gave it to you.
console-secret-remove = Forget the secret
console-failures = Sign-ins that failed lately
console-failures-none = None.
console-field-name = Name
console-field-name-hint = As people see it.
console-field-short-name = Short name
console-field-short-name-hint = One word in lower-case letters.
console-field-domains = Domains of its usernames
console-field-domains-hint = Separated by commas. A username that comes without a domain gets the first.
console-field-alternative-names = Other names
console-field-alternative-names-hint = People find it by these, too. Separated by commas.
console-field-tenant = Tenant
console-field-tenant-hint = The id or the domain of the tenant at Microsoft.
console-field-issuer = Issuer
console-field-issuer-hint = Its address, exactly as the provider writes it.
console-field-client-id = Client id
console-field-client-id-hint = Who this server is there.
console-field-client-secret = Client secret
console-field-trust-mfa = Believe it when it says that two factors were used
console-field-scopes = Scopes
console-field-scopes-hint = Separated by spaces.
console-field-username-claims = Claims of the username
console-field-claims-hint = The first that is there counts. Separated by commas.
console-field-name-claims = Claims of the name
console-field-email-claims = Claims of the e-mail address
console-field-organization-claims = Claims of the organisation
console-field-client-authentication = How this server authenticates
console-field-client-authentication-hint = client_secret_basic, client_secret_post or none. Empty: what the provider offers.
console-field-algorithms = Signature algorithms
console-field-algorithms-hint = Such as RS256. Empty: those that the provider announces.
console-field-required-claims = Claims that must have a value
console-field-required-claims-hint = NAME=VALUE, one on each line, such as the institution behind a hub.
console-field-parameters = Further parameters
console-field-parameters-hint = NAME=VALUE, one on each line. They go into the address that people are sent to.

console-disable-provider = Switch it off
console-disable-provider-title = Switch off { $name }?
console-disable-provider-text = Nobody can sign in through it any more, and tokens of its people are inactive at once. You can switch it on again.
console-enable-provider = Switch it on
console-enable-provider-title = Switch on { $name }?
console-enable-provider-text = People can sign in through it again. Tokens of its people that have not expired are active again.
console-delete-provider = Delete it
console-delete-provider-title = Delete { $name }?
console-delete-provider-text = People do not find it any more. Only a provider that nobody has ever signed in through can be deleted.
console-notice-provider-added = The identity provider was added. Register the redirect URI below there.
console-notice-provider-changed = The changes were saved.
console-notice-provider-enabled = People can sign in through it again.
console-notice-provider-disabled = It is switched off.
console-error-short-name = Write 1 to 64 lower-case letters, digits, dots, dashes and underscores.
console-error-short-name-taken = Another identity provider has this short name. Choose another one.
console-error-no-domain = Name at least one domain. Usernames of this provider end in it.
console-error-domain = { $domain } is no domain such as example.edu.
console-error-own-domain = { $domain } is this server’s own domain.
console-error-domain-taken = { $domain } belongs to { $name }.
console-error-client-id = Enter the client id. The provider tells it when this server is registered there.
console-error-issuer = Enter the issuer. The provider’s documentation tells it.
console-error-scopes = Name at least one scope, each without spaces.
console-error-openid = Add openid: without it nobody is told who signed in.
console-error-client-authentication = Write client_secret_basic, client_secret_post or none.
console-error-algorithm = { $name } is not taken. Choose for example RS256, PS256, ES256 or EdDSA.
console-error-parameter = { $name } is a parameter that this server sets itself.
console-error-username-claims = Name at least one claim.

# Apps and services
console-clients-title = Apps and services
console-clients-search = Find one
console-clients-hint = How its name begins, or its id. What devices registered is found by its id alone.
console-clients-none = None was found. Try fewer letters.
console-client-template = template
console-client-instance = registered by a device
console-client-project = Project
console-client-no-project = none
console-client-parent = Belongs to
console-client-people = People who allowed it something
console-client-people-more = more than { $count }
console-client-scopes = Scopes of its own
console-client-secrets = Secrets
console-client-children = Apps that belong to it
console-client-fqdns = Domain names
console-client-redirect-uris = Redirect URIs
console-disable-client = Switch it off
console-disable-client-title = Switch off { $name }?
console-disable-client-text = Nobody can sign in to it any more, and its tokens are inactive at once. Consents stay. The contact of its project is told by mail. You can switch it on again.
console-enable-client = Switch it on
console-enable-client-title = Switch on { $name }?
console-enable-client-text = People can sign in to it again. What was signed in before has to be signed in again.
console-delete-client = Delete it
console-delete-client-title = Delete { $name }?
console-delete-client-text = Its scopes, its secrets, everybody’s consents to it and all its tokens end at once. This cannot be undone.
console-template-client-text = The same goes for everything that devices registered from it.
console-notice-client-disabled = It is switched off. Its tokens have ended.
console-notice-client-enabled = It is switched on.

# Audit trail
console-audit-title = Audit trail
console-audit-intro = Each change and each sign-in, the newest first. What you leave empty may be anything.
console-audit-actor = Who did it
console-audit-actor-hint = Username or id, the name of an app, operator, or system.
console-audit-action = What was done
console-audit-action-hint = Such as client.create, or client for all that is done to apps.
console-audit-kind = Kind of thing
console-audit-kind-hint = Such as project, client, scope, policy, consent or identity.
console-audit-id = Which thing
console-audit-id-hint = Its id.
console-audit-since = From
console-audit-until = To
console-audit-time-hint = 2026-02-03, or 2026-02-03T09:15:00Z. In UTC.
console-audit-until-hint = A day counts to its end.
console-audit-bad-time = Write a day such as 2026-02-03, or a moment such as 2026-02-03T09:15:00Z.
console-audit-nobody = Nobody is called so. If several apps have this name, write the id.
console-audit-found = Entries
console-audit-none = Nothing in the trail matches.
console-audit-earlier = Earlier entries
console-audit-unread = So far nothing more was found, and the trail goes on.
console-audit-further = Search further back
console-actor-operator = operator on the machine
console-actor-system = the server itself
console-event-at = When
console-event-actor = Who
console-event-thing = What
console-event-address = From
console-event-request = Request

# Keys
console-keys-title = Signing keys
console-keys-intro = ID tokens are signed with these.
console-keys-days =
    { $days ->
        [one] They are changed each day without being asked.
       *[other] They are changed every { $days } days without being asked.
    }
console-keys-by-hand = They are changed only by hand.
console-key-next = waits for its turn
console-key-signing = signs
console-key-retiring = signs no more, still published
console-key-retired = retired
console-key-from = signs from { $from }
console-key-until = published until { $until }
console-rotate = Make new keys
console-rotate-title = Make new signing keys?
console-rotate-text = One of each kind is made. Old keys stay published for as long as something signed with them may still be checked.
console-rotate-when = When do the new keys sign?
console-rotate-published = In an hour
console-rotate-published-text = Programs have time to read them first.
console-rotate-now = At once
console-rotate-now-text = Programs that keep a copy of the list fail until they read it again.
console-rotate-compromised = At once, and the old ones are removed
console-rotate-compromised-text = For keys that are in the wrong hands. What they signed is accepted no more.
console-notice-rotated = New keys were made.
console-notice-waiting = New keys are published already and wait for their turn. Nothing was changed.

# Server
console-server-title = Server
console-findings = Health
console-findings-text = What can be seen from inside. { $command } looks from outside, too.
console-verdict-ok = good
console-verdict-note = worth knowing
console-verdict-problem = problem
console-store = Versions and store
console-version = Version
console-issuer = Public address
console-engine = Store
console-schema = Schema
console-schema-value = { $version }; programs from { $oldest } on can work with it
console-queue = Queue of this node
console-queue-value = { $queued } waiting; { $refused } turned away and { $retries } run again since the start
console-mail-waiting = Messages that wait to be sent
console-nodes = Nodes
console-nodes-text = Of several nodes one does each of these jobs. Nodes are known by the id that they gave themselves when they started.
console-nodes-none = No job was taken yet.
console-lease-over = has run out
console-lease-until = until { $until }
