# Linking another account.

link-title = Link another account
link-required = { $client } needs an account of { $provider }, and none is linked with the one you have signed in with:
link-signed-in = You have signed in with:
link-next = Next, sign in with the other account. Then you see both, and decide whether to link them.
link-means = What linking means
link-means-one = You can sign in with either account, and are the same person to every app.
link-means-seen = Apps may see which accounts are linked.
# $warning is the message link-both.
link-means-yours = So link only what is yours alone: { $warning }.
link-both = whoever can sign in with one of the accounts can act for both
link-submit = Sign in with the other account
link-not = You do not want to link anything?
link-switch = Use another account instead

link-confirm-title = Link these accounts?
link-confirm-mine = You are signed in with
# $others are usernames.
link-confirm-already = It is linked already with { $others }.
link-confirm-other = You have just signed in with
link-confirm-yours = Are both of them yours?
link-confirm-warning = Once they are linked, whoever can sign in with one of them can act for both. If you do not know one of these accounts, cancel.
link-confirm-joins = { $mine } stays your primary account; { $other } joins it, and keeps the permissions that you gave with it. You can unlink it at any time.
link-confirm-joins-several = { $mine } and what it is linked with stay as they are; { $other } joins them, and keeps the permissions that you gave with it. You can unlink it at any time.
link-confirm-submit = Link them

# Why two accounts cannot be linked. $other and $mine are accounts, “alice@example.edu (Example University)”; $mine_name and $other_name are their usernames alone.
link-refused-title = These accounts cannot be linked
link-refused-again = Sign in with another account
link-refused-begin = Begin again
link-refused-same = You have signed in with { $other } both times.
link-refused-same-next = To link another account, sign in with that one now.
link-refused-together = { $mine } and { $other } are linked already.
link-refused-elsewhere = { $other } is linked with other accounts already, and an account can be linked in one place only.
link-refused-elsewhere-next = If you want it to be linked with { $mine_name } instead: log out, sign in with { $other_name }, unlink it from the others on the page “Your accounts”, and come back. If it is the primary account there, make another one the primary first. Or do it the other way round: sign in with { $other_name } and link { $mine_name } there.
link-refused-closed = One of the accounts { $mine } and { $other } is closed or switched off. Ask the operator of this service.
link-refused-client = Accounts of apps cannot be linked to those of people.
link-refused-stale = To link two accounts you have to sign in with both within ten minutes. One of your sign-ins is older.
link-refused-second-factor = One of your accounts has a second factor. To link another one with it you have to sign in with two factors first.
