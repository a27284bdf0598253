# The start page.

home-title = Sign-in and permissions
home-lead = Portolan signs people in, asks them what apps may do for them, and gives those apps tokens for exactly that. It speaks the Globus Auth protocol, OAuth 2.0 and OpenID Connect.
home-no-administrator = There is no administrator yet
home-no-administrator-text = When it started, the service printed a one-time link to set up the first administrator. Open that link to begin.
home-from-app = To sign in, start from the app you want to use: it brings you here when it needs you.
home-security = Password, passkeys and other ways to sign in
home-projects = Projects and apps, for developers
home-log-out = Log out
home-developers = For developers
home-issuer = Issuer
home-discovery = OpenID Connect discovery
home-metadata = OAuth 2.0 metadata
home-keys = Public keys
