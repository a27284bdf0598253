# What is said by mail.

# Around every notice and every message to the contact of a project.
mail-notice =
    Hello { $name },

    { $what }

    Account: { $username }

    If this was not you, sign in, end all other sessions and change your password, and tell the operators.
mail-contact =
    { $text }

    Project: { $project }
    { $page }

    You get this message because this address is the contact of the project.

# Links that somebody has asked for.
mail-reset-subject = Choose a new password
mail-reset =
    Somebody asked for a new password for the account { $username } at { $site }.

    To choose one, open this link within ten minutes:

    { $link }

    If it was not you, do nothing: the password stays as it is.
mail-reset-by-administrator =
    An administrator asked for a new password for the account { $username } at { $site }.

    To choose one, open this link within ten minutes:

    { $link }

    If it was not you, do nothing: the password stays as it is.
mail-confirm-subject = Confirm your e-mail address
mail-confirm =
    This address was entered for the account { $username } at { $site }.

    To confirm that it is yours, open this link within a day:

    { $link }

    If you do not know that account, do nothing.
mail-known-subject = You have an account
mail-known =
    Somebody asked to open an account at { $site } with this address. It has one already:

    { $accounts }

    You can sign in with it at { $link }, or choose a new password there.
mail-open-subject = Open your account
mail-open =
    Somebody asked to open an account at { $site } with this address.

    To go on, open this link within a day:

    { $link }

    If it was not you, do nothing: no account is made.

# What has happened to an account.
mail-address-subject = Your e-mail address was changed
mail-address = The e-mail address of your account is now { $address }.
mail-second-step-subject = Somebody knows your password
mail-second-step = Somebody has given your right password and then failed several times at the second step of signing in. If this was not you, change your password now.
mail-linked-subject = Two accounts were linked
mail-linked = The account { $other } ({ $other_provider }) was linked with your account { $mine } ({ $mine_provider }). Whoever can sign in with one of them now acts for both.
mail-unlinked-subject = An account was unlinked
mail-unlinked = The account { $account } ({ $account_provider }) is no longer linked with { $primary } ({ $primary_provider }). Apps that used it have to ask again.
mail-primary-subject = Your primary account has changed
mail-primary = The account { $account } ({ $account_provider }) is now your primary account, in place of { $former } ({ $former_provider }). Apps that you sign in to from now on know you by it.
mail-passkey-subject = A passkey was added to your account
mail-passkey = The passkey “{ $name }” can be used to sign in to your account from now on.
mail-copied-subject = A passkey of yours may have been copied
mail-copied = The passkey “{ $name }” was used to sign in, and it counts its uses wrongly. That happens when it is damaged, or when somebody has made a copy of it. If you are not sure, remove it on the security page of your account and register another one.
mail-recovery-subject = A recovery code was used
mail-recovery = Somebody signed in to your account with a recovery code. { $left } of them are left.
mail-codes-subject = New recovery codes were made for your account
mail-codes = Recovery codes from before are good for nothing any more.
mail-app-subject = An authenticator app was set up for your account
mail-app = From now on a code of an authenticator app is asked for when you sign in.
mail-removed-subject = A second factor was removed from your account
mail-removed-app = The authenticator app of your account was removed.
mail-removed-passkey = The passkey “{ $name }” of your account was removed.
mail-removed-all = Every second factor of your account was removed.
mail-removed-last = It has no second factor any more: the password alone is enough to sign in.
mail-removed-not-last = The others stay.
mail-switched-off-subject = Your account was switched off
mail-switched-off = Your account was switched off: nobody can sign in with it, and what it was signed in to has ended.
mail-password-subject = Your password was changed
mail-password = The password of your account was changed. What you were signed in to elsewhere has ended.
mail-password-added =
    In the last days this was added to your account, by you or by whoever else had your password:

    { $list }

    If you do not know it, remove it on the security page of your account.
mail-added-app = an authenticator app
mail-added-passkey = the passkey “{ $name }”
mail-signed-out-subject = You were signed out elsewhere
mail-signed-out = Every other browser was signed out of your account, and apps that were used there have to ask you to sign in again.

# What has happened to a project.
mail-admins-subject = The admins of your project have changed
mail-admins = The admins of your project have changed. Its page shows who they are now.
mail-new-contact-subject = The contact of your project has changed
mail-new-contact = Another address is the contact of your project now. This is the last message about it to this address. If that was not meant to be, ask the admins of the project or the operators of this server.
mail-app-deleted-subject = An app was deleted
mail-app-deleted = The app with the id { $id } was deleted. Its scopes, everybody's consents to it and all its tokens have ended.
mail-app-switched-subject = An app was switched off or on
mail-app-off = The app { $name } ({ $id }) was switched off: nobody can sign in to it, and its tokens have ended.
mail-app-on = The app { $name } ({ $id }) was switched on again.
mail-key-subject = A new signing key
mail-key = This server has made a new key to sign ID tokens with. Programs that read the keys at /jwk.json when they meet an unknown one need nothing; those that keep a copy need a new one.
