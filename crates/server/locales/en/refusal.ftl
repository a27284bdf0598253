# Refusals that people rarely see: what cannot be, and what to do instead.

refusal-no-link = Only a local account that is switched on and has an e-mail address can be sent a link.
refusal-many-links = This address was sent five links within the last hour.
refusal-public-secret = An installed program or a page without a server cannot keep a secret.
refusal-instances = This template has instances; delete them first.
refusal-itself = This server cannot be without itself.
refusal-many-passkeys = An account has at most { $most } passkeys; remove one that you do not use.
refusal-late-app = Setting up the authenticator app took too long; begin again on the security page.
refusal-no-factor = Recovery codes stand in for a second factor; set one up first.
refusal-own-account = This is the account you are signed in with; another administrator can switch it off.
refusal-password-elsewhere = The password was changed elsewhere meanwhile; sign in again.
refusal-project-full = The project still holds apps or policies; delete them first.
refusal-project-stays = The built-in project stays.
refusal-last-admin = The project { $project } would have no admin left; name another one first.
refusal-provider-used = People have signed in through { $provider }, or were prepared for it; switch it off instead.
refusal-provider-stays = { $provider } is built in and stays as it is.
refusal-own-scopes = This server needs its own scopes.
refusal-scope-stays = This built-in scope has a name of its own, which stays.
