# The developer area: projects, apps and their secrets.

developers-areas = Areas
developers-area-account = Your account
developers-area-developers = Developers
developers-trail = You are here
developers-save = Save
developers-delete = Delete…
developers-remove = Remove…
developers-delete-it = Delete it
developers-remove-it = Remove it
developers-keep = Leave it as it is
developers-back = Back
developers-yes = yes
developers-no = no
developers-none = none
developers-since = Made on
developers-copy = Copy

# Projects

developers-projects = Projects
developers-projects-title = Your projects
developers-projects-intro = A project holds apps, and the people who look after them.
developers-empty-lead = You have no project yet.
developers-empty-project = A project is a folder for what you build: the apps that belong together, and the people who may change them. Everything else begins in one.
developers-step-project = Make a project. It takes a name and an e-mail address.
developers-step-app = Register an app in it: a website, a program, a service account or an API.
developers-step-try = Copy the commands from the page of the app and try it.
developers-first-project = Make your first project
developers-new-project = New project
developers-edit-project = Change the project
developers-delete-project = Delete the project
developers-make-project = Make the project
developers-apps-count = { $count ->
    [0] no apps
    [one] one app
   *[other] { $count } apps
}
developers-policies-count = { $count ->
    [one] one policy
   *[other] { $count } policies
}
developers-project-form-intro = Only you administer the project at first. You can add others afterwards.
developers-project-name = Name of the project
developers-project-name-hint = For example the name of your group or of the service you build.
developers-contact = Contact e-mail
developers-contact-hint = Messages about the project go there, for example when its admins change.
developers-which-accounts = Which of your accounts administer it?
developers-about-project = About the project
developers-project-id = Project ID
developers-notice-project-created = The project is made
developers-notice-project-next = Next, register an app in it.
developers-notice-project-changed = The project was changed.
developers-notice-project-deleted = The project was deleted.
developers-notice-left = You do not administer that project any longer.
developers-delete-project-text = The project { $name } ends, and with it the list of its admins. It holds no apps and no policies, so nothing stops working.
developers-project-full = The project { $name } cannot be deleted yet. It still holds:
developers-project-full-next = Delete these first. Whoever uses them then learns from each of those pages what stops working.

# Admins

developers-admins = Admins
developers-admins-intro = Every admin may do everything here: change and delete apps, make secrets, add and remove admins.
developers-admins-built-in = The administrators of this server administer the project.
developers-tag-you = you
developers-tag-service-account = service account
developers-tag-switched-off = switched off
developers-tag-group = group
developers-group-text = Groups give no rights here.
developers-add-admin = Add an admin
developers-remove-admin = Remove this admin?
developers-add-admin-intro = Whoever you name may do in { $project } all that you may do, and may also remove you.
developers-admin-who = Who is it?
developers-admin-who-hint = The username of an account that is here already, such as anna or anna@example.org, or its ID. For a service account its client ID.
developers-admin-mine = Your own accounts that do not administer it yet:
developers-notice-admin-added = The admin was added.
developers-notice-admin-removed = The admin was removed.
developers-remove-admin-text = { $username } will no longer administer { $project }, and can be added again.
developers-remove-self-title = This is you
developers-remove-self-text = You will not see the project any more, and only its other admins can let you in again.
developers-last-admin = { $username } is the last admin of { $project } who can sign in. Add another one first, then remove this one.

# The list of apps

developers-apps = Apps in this project
developers-no-apps = There is nothing here yet. An app is whatever signs people in or calls an API: a website, a program, a script.
developers-new-app = New app
developers-find-app = Find an app by its name or client ID
developers-find = Find
developers-shown = { $shown } of { $total } apps
developers-first-shown = The first { $shown } of { $total } apps. Write a part of the name to find others.
developers-found-none = No app fits “{ $text }”.
developers-show-all = Show all apps
developers-notice-app-deleted = The app was deleted, and everything that it was allowed has ended.

# Types of apps

developers-kind-confidential = Website or portal
developers-about-confidential = People sign in on a server of yours, which can keep a secret and work for them.
developers-kind-installed = Installed program
developers-about-installed = A command line, desktop or phone program on people’s own machines. It cannot keep a secret, so it has none.
developers-kind-webapp = Page without a server
developers-about-webapp = JavaScript that runs in the browser alone. It cannot keep a secret, so it has none.
developers-kind-service-account = Service account
developers-about-service-account = A script or an instrument that acts as itself, by night and without people. Nobody signs in.
developers-kind-resource-server = API
developers-about-resource-server = A service that other apps call. It has scopes of its own and checks the tokens it gets; nobody signs in to it.
developers-kind-hybrid = API with sign-in
developers-about-hybrid = Both at once: it has scopes of its own and people sign in to it. Action providers are registered so.
developers-kind-connect-server = Globus Connect Server
developers-about-connect-server = A storage endpoint. Choose this only if the guide of that software tells you to.

# The form of an app

developers-edit-app = Change the app
developers-make-app = Register the app
developers-app-name = Name of the app
developers-app-name-hint = People see it when they sign in and when they are asked for permission.
developers-type = What is it?
developers-type-hint = This cannot be changed later.
developers-type-stays = It stays what it was registered as.
developers-redirect-uris = Redirect URIs
developers-redirect-uris-hint = Where people come back to after signing in, one address on each line, exactly as your app sends it. Programs on a person’s own machine, service accounts and APIs need none.
developers-more = More settings
developers-more-shown = What people see
developers-more-sign-in = Signing in
developers-more-logout = Logging out
developers-terms = Terms of use
developers-terms-hint = A web address. Give both or neither; people see them where they allow something.
developers-privacy = Privacy policy
developers-privacy-hint = A web address.
developers-visibility = Who may look up the app
developers-visibility-private = only members of the project
developers-visibility-public = everybody who has a token or a client
developers-preselect = Suggested identity provider
developers-preselect-hint = The login page offers it first. Type a part of its name or its domain.
developers-required = Required identity provider
developers-required-hint = Nobody gets in without an account there. Type a part of its name or its domain.
developers-named-grant = Ask for the name of the device
developers-named-grant-hint = People can then tell apart the permissions they gave from several machines.
developers-named-grant-usual = as usual: only installed programs ask
developers-effective = Tell the app only about the account that fits it best, not about the one that happened to sign in
developers-effective-short = Told about the best fitting account
developers-post-logout = Addresses after logging out
developers-post-logout-hint = Where people may be sent to after logging out, one address on each line.
developers-backchannel = Address to tell about logouts
developers-backchannel-hint = This server calls it when somebody’s session ends (OpenID Connect back-channel logout).
developers-backchannel-session = The app needs the session in each such call

# What is wrong with a form

developers-error-name = Write 1 to 255 characters on one line.
developers-error-email = Write an e-mail address such as anna@example.org.
developers-error-no-account = Choose at least one account.
developers-error-nobody = There is no account of this name or ID here. Whoever it is has to sign in once first.
developers-error-switched-off = This account is switched off and could not do anything.
developers-error-admin-already = This account administers the project already.
developers-error-type = Choose what kind of app it is.
developers-error-link = Write a web address that begins with https://.
developers-error-both-links = Give both addresses or neither.
developers-error-provider = There is no identity provider of this name or domain.
developers-error-providers = Several fit. Write the domain of the one you mean: { $names }
# $reason is one of the messages below.
developers-error-line = Line { $line }, { $uri }: { $reason }
developers-uri-too-long = It is longer than 2048 characters.
developers-uri-characters = It contains spaces or other characters that an address must not contain.
developers-uri-fragment = It must not contain a # and what follows it.
developers-uri-wildcard = Wildcards do not work. Register each address.
developers-uri-not-absolute = It is not a whole address. Begin with https://.
developers-uri-dot-segments = Write the path without . and .. in it.
developers-uri-user-info = It must not contain a user name or a password.
developers-uri-no-host = It has no host. Write it like https://app.example.org/callback.
developers-uri-plain-http = It has to begin with https://. Plain http is for localhost only.
developers-uri-scheme-without-dot = A scheme of your own needs a dot, like org.example.app:/callback.
developers-uri-not-https = It has to begin with https://.

# The page of an app

developers-client-id = Client ID
developers-settings = Settings
developers-resource-server = Name as a resource server
developers-own-identity = Acts as
developers-app-switched-off = The operator of this service has switched this app off.
developers-notice-app-created = The app is registered
developers-notice-app-secret = Next, make a secret for it. The app proves with it who it is.
developers-notice-app-try = It is ready. Below are commands to try it.
developers-notice-app-changed = The app was changed.
developers-service-account = The account it acts as
developers-service-account-text = Name this account where somebody is to be given rights: in a list of permissions, in a group, or as the admin of a project.
developers-service-account-admin = Make it an admin of this project
developers-delete-app = Delete the app
developers-what-ends = What ends at once
developers-delete-app-text = You are about to delete { $name }. This cannot be undone.
developers-delete-app-tokens = Its secrets and all its tokens.
developers-delete-app-no-consents = Nobody has allowed it anything so far.
developers-delete-app-consents = { $consents ->
    [one] One permission
   *[other] { $consents } permissions
} that { $people ->
    [one] one person
   *[other] { $people } people
} gave it.
developers-delete-app-scopes = { $scopes ->
    [one] Its scope
   *[other] Its { $scopes } scopes
}.
developers-delete-app-others = { $consents ->
    [one] One permission of another app
   *[other] { $consents } permissions of other apps
} for its scopes. What they do with them stops working.
developers-delete-app-never = Its client ID is never used again.

# Secrets

developers-secrets = Secrets
developers-no-secrets = The app has no secret yet, so it cannot prove who it is.
developers-secrets-intro = The app proves with any of these who it is. To replace one without an interruption, make the new one first.
# $when is a moment.
developers-secret-made-at = made { $when }
developers-new-secret = Make a secret
developers-new-secret-text = The secret is shown once, right after it is made. Have a safe place for it ready.
developers-secret-name = Description
developers-secret-name-hint = Where it will be kept, such as: portal server, since March. It helps you to know later which one to delete.
developers-secret-title = Your new secret
developers-secret-once = Copy it now
developers-secret-once-text = It is shown only this once; nobody can look it up again. If it is lost, delete it and make another.
developers-copy-secret = Copy the secret
developers-secret-kept = I have kept it
developers-notice-secret-deleted = The secret was deleted.
developers-notice-secret-made = That secret was made already and is not shown again. If you did not keep it, delete it and make another.
developers-delete-secret = Delete this secret?
developers-delete-secret-text = Whoever uses the secret { $name } cannot prove to be { $app } any longer, from now on. Tokens that were got with it live on until they run out.
developers-delete-last-secret = It is the last one
developers-delete-last-secret-text = Without a secret the app gets no tokens. If it is in use, make a new secret first.

# Try it

developers-try = Try it
developers-try-secret = Paste these into a terminal. The secret is asked for, so it is in no file and no history.
developers-try-public = Paste these into a terminal. Open the address that is printed, and bring back the code you get.
developers-try-curl = Get a token with curl
developers-try-python = In Python, with globus-sdk
developers-try-introspection = Check a token that your API got
developers-try-command-line = With globus-cli

# The audit trail

developers-events = Last events
developers-no-events = Nothing has happened yet.
developers-actor-app = the app itself
developers-actor-operator = the operator
developers-event-create = The app was registered
developers-event-update = The app was changed
developers-event-secret = A secret was made
developers-event-secret-deleted = A secret was deleted
developers-event-fqdn = A domain name was added
developers-event-allowed = Somebody allowed the app something
developers-event-logout = The app could not be told about a logout
