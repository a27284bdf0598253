# What apps were allowed, and how a person takes it back.

consents-title = Your permissions
consents-withdrawn = Withdrawn
consents-withdrawn-text = What you have withdrawn has ended and is no longer in this list. The app can ask you for it again.
consents-none = No app may act for you. When an app asks you for a permission and you allow it, you find it here.
consents-lead = These apps may act for you, because you have allowed it. You can withdraw each permission at any time; it ends at once.
consents-allowed-by = Allowed by
consents-label = Your name for it
consents-last-used = Last used
consents-not-yet = not yet
consents-away = While you are away
consents-away-yes = it may go on with what is marked below
consents-away-no = it cannot go on
# Before a list of permissions, each a phrase such as “Transfer files”.
consents-may = It may
consents-withdraw-all = Withdraw everything…
# Follows the one above, for those who cannot see where it stands.
consents-withdraw-all-of = that { $client } may do
consents-back = Back to { $name }

# One permission.
consents-also-away = also while you are away
consents-since = Since { $day } · last used { $used }
consents-since-unused = Since { $day } · not used yet
consents-since-by = Allowed by { $username } since { $day } · last used { $used }
consents-since-by-unused = Allowed by { $username } since { $day } · not used yet
consents-withdraw = Withdraw…
consents-withdraw-part = Withdraw only this…
# Follows the one above.
consents-withdraw-part-of = { $name } at { $resource }, { $client }

# The page that asks before something ends.
consents-revoke-title = Withdraw permission
consents-revoke-app = Withdraw everything?
consents-revoke-branch = Withdraw this part?
consents-revoke = Withdraw this permission?
consents-given-to = given to { $client }
consents-extent-app = Everything ends that you have allowed { $client }.
consents-extent-tree = { $name } ends, with everything that other services may do because of it.
consents-extent-branch = Only { $name } ends, with everything beneath it. { $client } may then do less for you.
consents-extent-whole = The whole permission ends
consents-extent-whole-text = { $name } cannot be withdrawn alone: { $root } does not work without it. So all of { $root } ends, with everything beneath it.
consents-stops = What will stop working
consents-service-beneath = a service beneath
# Before a list of permissions.
consents-loses = can no longer, in your name:
consents-service-loses = can no longer, when it works for { $client } in your name:
consents-lost = { $name } at { $resource }
# $client can ask again; $warning is the message consents-away-fails.
consents-at-once = It ends at once. { $client } can ask you for it again.
consents-at-once-away = It ends at once. { $warning }, such as a transfer that is still running. { $client } can ask you for it again.
consents-away-fails = Work that goes on while you are away fails from then on
consents-stays = What stays
consents-keeps = { $client } keeps:
consents-submit = Withdraw
consents-keep = Keep it
consents-changed = What would end has changed. Look at it again before you withdraw it.
