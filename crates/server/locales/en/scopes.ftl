# The developer area: what an app that is a service lets other apps ask people for.

scopes-title = Scopes
scopes-of-app = of { $app }
scopes-intro = A scope is a permission: other apps ask people for it, and may then use this service in their name. One scope for all that the service does is often enough.
scopes-none = This app has no scope so far. It needs one only if other apps are to use it.
scopes-new = New scope
scopes-domains = Domain names
scopes-find = Find a scope by its name or its string
# Of many scopes a page shows some.
scopes-none-fits = No scope fits “{ $text }”.
scopes-show-all = Show all scopes
scopes-shown = { $shown } of { $total } scopes are shown.
scopes-notice-made = The scope has been made. Apps can ask for it now.
scopes-notice-changed = The scope has been changed.
scopes-notice-deleted = The scope has been deleted, and everything that people had allowed with it has ended.
scopes-tag-advertised = advertised
scopes-tag-no-refresh = no refresh tokens
# $domains is a list such as “example.edu, example.org”.
scopes-only-domains = Only for people with an account at { $domains }
scopes-needs = { $count ->
    [one] Needs one scope of another service
   *[other] Needs { $count } scopes of other services
}
scopes-change = Change
scopes-delete = Delete

scopes-new-title = New scope
scopes-change-title = Change a scope
scopes-id = Scope ID: { $id }
scopes-suffix = Suffix
scopes-suffix-hint = The end of its name for programs: lower-case letters, digits and underscores, such as action_all.
scopes-suffix-placeholder = suffix
scopes-string = Programs ask for it under this name:
scopes-name = Name
scopes-name-hint = What people read when an app asks them for it, such as “Run beamline actions”.
scopes-description = Description
scopes-description-hint = A sentence or two: what somebody can do in their name who has it.
scopes-advertised = Advertised
scopes-advertised-hint = Every app may ask for it and find it. Otherwise only the apps of this project can, unless the app is public.
scopes-refresh = Allows refresh tokens
scopes-refresh-hint = Apps may go on while the person is away. Services that wait for long work, such as flows, need it.
scopes-required-domains = Only for accounts at
scopes-required-domains-hint = Domains, one in each line, such as example.edu or *.example.edu. Leave it empty for everybody.

scopes-needs-title = What it needs of other services
scopes-needs-text = Scopes that this service uses in the person’s name to do its work. People see them when they allow this scope, and allow them together with it.
scopes-needs-none = Nothing chosen.
# $service is the name of an app.
scopes-at-service = at { $service }
scopes-needs-optional = Optional: people can decline or withdraw it alone (atomically revocable)
scopes-needs-refresh = Needs a refresh token: the service goes on with it while the person is away
scopes-needs-never-refreshes = This scope gives no refresh tokens, so ticking this has no effect.
scopes-needs-remove = Remove
scopes-search = Look for a scope to add
scopes-search-hint = Part of its name or of its service’s name, a whole scope string, or the domain name of a service.
scopes-search-button = Search
scopes-found-none = No scope fits that, or none that this app may see.
scopes-found = { $count ->
    [one] One scope fits.
   *[other] { $count } scopes fit.
}
scopes-found-more = There are more; say more of the name.
scopes-found-partial = This server has too many scopes to look at every name. If yours is not here, give its whole scope string.
scopes-add = Add
scopes-make = Make the scope
scopes-save = Save
scopes-cancel = Cancel
scopes-delete-this = Delete this scope…

scopes-error-suffix = A suffix has lower-case letters, digits and underscores only.
scopes-error-suffix-taken = There is a scope with this suffix already.
scopes-error-suffix-long = The scope string would be longer than 512 bytes; choose a shorter suffix.
scopes-error-name = Give a name of 1 to 255 characters, on one line.
scopes-error-description = Give a description of 1 to 4000 characters.
# $reason is in English and names the domain.
scopes-error-domains = Check the domains: { $reason }.
# $scope is a scope string.
scopes-error-cycle = That would be a circle: this scope would need itself, by way of { $scope }. Remove that one, or change what it needs.
scopes-error-self = That would be a circle: this scope would need itself.
scopes-error-unknown = One of the chosen scopes is not there any more, or this app may not see it. Remove it.
# $reason is in English.
scopes-error-dependencies = The chosen scopes do not fit: { $reason }.

scopes-delete-title = Delete this scope?
scopes-delete-lead = { $scope } of { $app }
scopes-delete-ends = What ends
scopes-delete-people = { $count ->
    [0] Nobody has allowed it so far.
    [one] One person has allowed it. That ends at once, with everything beneath it.
   *[other] { $count } people have allowed it. That ends at once, with everything beneath it.
}
scopes-delete-dependents = { $count ->
    [0] No other scope needs it.
    [one] One scope of another service needs it and will go without it.
   *[other] { $count } scopes of other services need it and will go without it.
}
scopes-delete-tokens = Tokens that rest on it alone stop working at once.
scopes-delete-for-good = This cannot be undone. A scope with the same suffix made later is another one, and people have to allow it anew.
scopes-delete-button = Delete the scope
scopes-keep = Keep it

# On the page of an app.
scopes-app-heading = What other apps can ask for
scopes-app-text = If other apps are to use this one in the name of people, it needs at least one scope.
