# Error pages: the frame, and what went wrong where a person can do something about it.

error-todo = What you can do
error-operator = For the operator
error-when = Occurred at time
error-id = Error ID
error-code = Error code

# Headings.
error-not-found-title = Page not found
error-slow-title = That took too long
error-internal = Something went wrong on our side
error-unauthorized = Unauthorized
error-forbidden = Forbidden
error-unknown-scopes = Unknown scope(s)
error-method = Method not allowed
error-conflict = Conflict
error-too-many = Too many requests
error-unavailable = Service unavailable
error-access-denied = Access denied
error-bad-request = Bad request

# What the person can do next.
error-advice-wait = Wait a little, then try again.
error-advice-again = Try again. If it happens again, tell the operator the error ID below.
error-advice-address = Check the address, or go back to the app you came from.
error-advice-app = Go back to the app you came from and start again. If it happens again, tell the people who run that app.

# What went wrong.
error-not-found = { $noun ->
    [consent] Consent not found.
    [identity] Identity not found.
    [passkey] Passkey not found.
    [authenticator-app] Authenticator app not found.
    [second-factor] Second factor not found.
    [identity-provider] Identity provider not found.
   *[page] No such page.
}
error-slow = The request took too long.
error-internal-text = An internal error; the log tells more under this request id.
error-method-text = This path does not take that method.
error-busy = The server is busy; try again.
error-store-slow = The store did not answer in time; try again.
error-store-away = The store cannot be reached; try again.
error-store-unknown = Whether the change was made is unknown; look before trying again.
error-many-passwords = Too many log-ins at this moment; try again.
error-many-logins = Too many attempts to log in from your address; wait a little.
error-many-failures = Too many attempts to log in fail at this moment; wait a little.
error-many-mails = Too many requests for mail from your address; wait a little.
error-many-mails-in-all = Too many requests for mail at this moment; wait a little.
error-stale-form = This form is out of date or comes from another site; go back, reload the page and try again.
error-expired = This sign-in has expired or was finished already; go back to the app and start again.
error-account-changed = This account was changed while you signed in; go back and sign in again.
error-link-gone = This link of two accounts has expired or was finished already; begin again.
error-not-linked = This account is not linked with another one.
error-primary-stays = The primary account cannot be unlinked; make another one the primary first.
error-primary-closed = An account that is closed or switched off cannot be the primary.
error-dead-link = This link was used already or has expired; ask for a new one.
error-dead-setup = This set-up link was used already or has expired; restart the server to get a new one while there is no administrator.
error-elsewhere = You signed in with an account of another organisation; its password and second factors are managed there.
error-no-passkeys = Browsers know no passkeys under the address of this service: it has no name.
error-last-factor = This has become the last second factor; reload the page and look again.

# What an app asks of a sign-in and this one does not have.
error-unmet-provider = The account that this app would know you by is switched off; make another one of your accounts the primary.
error-unmet-other = This app asked for another account than the one you signed in with.
error-unmet-identities = This app needs you to sign in with a particular identity.
error-unmet-not-linked = This app needs you to sign in with several identities, but they are not linked with each other; link them first.
error-unmet-domains = This app needs an identity from a particular organisation.
error-unmet-policies = Your sign-in does not satisfy the policy that this app demands.
error-unmet-mfa = This app needs a sign-in with two factors, and your account has no second one: set one up, then start again in the app.
error-unmet-context = This app needs another kind of sign-in than yours.
error-unmet-scope-domains = What this app asks for is only for people of certain organisations.
error-way-second-factor = Set up a second factor
error-way-sign-in = Look at how you sign in
