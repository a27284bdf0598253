# The accounts of a person, and what changes about them.

identities-title = Your accounts
identities-linked = Linked
identities-linked-text = You can sign in with each of these accounts now.
identities-unlinked = Unlinked
identities-unlinked-text = The account stands alone again, and what apps had got for it has ended.
identities-new-primary = Your primary account has changed
identities-new-primary-text = Apps that you sign in to from now on know you by it. They may ask for your permission again.
identities-alone = This is the account you sign in with. If you have others here or at another organisation, link them: apps then know that they are all you, and you can sign in with any of them.
identities-several = These accounts are linked. You can sign in with each of them; apps know you by the primary one, and may see the others.
identities-primary = primary
identities-here = signed in here
identities-provider = From
identities-name = Name
identities-email = E-mail
identities-organization = Organisation
identities-last-sign-in = Last sign-in
identities-not-yet = not yet
identities-state = State
identities-switched-off = switched off by the operator
identities-make-primary = Make primary…
identities-unlink = Unlink…
identities-unlink-primary = To unlink this account, make another one the primary first.
identities-another = Another account
identities-another-text = You sign in with it, see both accounts, and decide.
identities-link-another = Link another account…

# The pages that ask before something changes.
identities-ask-unlink = Unlink this account?
# $others are usernames.
identities-unlink-text = It will no longer be linked with { $others }. It is not deleted: you can still sign in with it, as a person of its own.
identities-stops = What will stop working
# $warning is the message consents-away-fails.
identities-unlink-apps = What apps have got for this account ends at once, and so does everything they got while you were signed in with this account alone. { $warning }, such as a transfer that is still running.
identities-unlink-out = Whoever is signed in with this account is signed out, in every browser.
identities-unlink-out-here = Whoever is signed in with this account is signed out, in every browser. That includes this one.
identities-unlink-apart = Apps no longer see that it belongs to you. What only this account may do, your other accounts can do no longer.
identities-unlink-permissions = The permissions that you gave with this account stay its own. You find them when you sign in with it.
identities-unlink-submit = Unlink
identities-ask-primary = Make this your primary account?
identities-primary-text = Apps know you by your primary account. At present that is { $former }.
identities-different = What will be different
identities-primary-new = Apps that you sign in to from now on know you by this account, and ask for your permission again where you gave it with the other one.
identities-primary-belongs = What belongs to { $former } in an app may not be there for this account, unless the app looks at all your linked accounts.
identities-primary-goes-on = What apps have got already goes on under { $former }, until they ask you to sign in again.
identities-primary-submit = Make it the primary
identities-keep = Leave it as it is
identities-is-primary-title = Your primary account
identities-is-primary-unlink = This is your primary account, the one that apps know you by. Make another account the primary first, then unlink this one.
identities-is-primary = This is your primary account already.
