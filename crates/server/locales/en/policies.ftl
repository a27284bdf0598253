# The developer area: how people must have signed in.

policies-title = Policies
policies-of-project = of { $project }
policies-intro = A policy says which accounts count, how lately somebody must have signed in, and how strongly. A service refuses a token whose session is not enough, and the app sends the person here with the policy.
policies-none = This project has no policy so far. It needs one only for data that has to be protected especially.
policies-new = New policy
policies-notice-made = The policy has been made.
policies-notice-changed = The policy has been changed. It counts from the next sign-in on.
policies-notice-deleted = The policy has been deleted.
policies-use = Apps ask for it with this parameter of the authorization request:
policies-try = Try who would pass
policies-change = Change
policies-delete = Delete

# $domains is a list such as “example.edu, *.example.org”.
policies-include = An account at { $domains }.
policies-exclude = Accounts at { $domains } do not count.
policies-any-domain = An account at any domain.
policies-high = High assurance: the person must have signed in with such an account.
policies-not-high = It is enough that the person has such an account among those that are linked.
# $time is a length of time, such as “30 minutes”.
policies-within = Signed in no longer than { $time } ago.
policies-two-factors = Signed in with two factors.
policies-time-seconds = { $count ->
    [one] one second
   *[other] { $count } seconds
}
policies-time-minutes = { $count ->
    [one] one minute
   *[other] { $count } minutes
}
policies-time-hours = { $count ->
    [one] one hour
   *[other] { $count } hours
}
policies-time-days = { $count ->
    [one] one day
   *[other] { $count } days
}

policies-new-title = New policy
policies-change-title = Change a policy
policies-id = Policy ID: { $id }
policies-name = Name
policies-name-hint = Such as “Campus only”.
policies-description = Description
policies-description-hint = What it protects, and whom it lets pass.
policies-field-include = Only accounts at
policies-field-include-hint = Domains, one in each line. *.example.edu stands for everything below example.edu. Leave it empty if any account counts.
policies-field-exclude = No accounts at
policies-field-exclude-hint = In the same way. What stands here does not count, even if it stands above.
policies-field-high = High assurance
policies-field-high-hint = The person must have signed in with an account that counts. This cannot be changed later.
policies-high-stays = This cannot be changed; make another policy instead.
policies-field-timeout = The sign-in is no older than
policies-field-timeout-hint = A number, at most a year in all. Leave it empty if its age makes no difference.
policies-field-unit = Unit
policies-unit-seconds = seconds
policies-unit-minutes = minutes
policies-unit-hours = hours
policies-unit-days = days
policies-field-two-factors = Two factors
policies-field-two-factors-hint = A password and a second proof, or a passkey. Only together with high assurance.
policies-field-project = Project
policies-field-project-hint = The policy can move to another project of yours. Its ID stays.
policies-make = Make the policy
policies-save = Save
policies-cancel = Cancel
policies-delete-this = Delete this policy…
policies-error-name = Give a name of 1 to 255 characters, on one line.
policies-error-description = Give a description of 1 to 4000 characters.
policies-error-timeout = Give a whole number that makes no more than 366 days, or leave it empty.
policies-error-two-factors = Two factors can be asked for only together with high assurance.
# $reason is in English and names the domain.
policies-error-domains = Check the domains: { $reason }.

policies-delete-title = Delete this policy?
policies-delete-text = Apps that still ask for it get an error instead of a sign-in:
policies-delete-for-good = This cannot be undone; another policy has another ID.
policies-delete-button = Delete the policy
policies-keep = Keep it

policies-trial-title = Who would pass?
policies-who = Username
policies-who-hint = Leave it empty to try yourself. Of other people nothing is looked up: only the domain of the name counts here, not their linked accounts, and not how they have signed in.
policies-try-button = Try
policies-you-pass = You would pass
policies-you-fail = You would not pass
policies-you-why = As you are signed in in this browser right now, with all your linked accounts. One account has to meet everything.
policies-they-pass = An account with this name would pass
policies-they-may-pass = An account with this name would pass if its sign-in meets the rest
policies-they-fail = An account with this name would not pass
policies-they-why = Somebody with this account may have linked others that count; this page does not know.
policies-enough = meets everything
# Before a requirement.
policies-met = Met:
policies-unmet = Not met:
policies-open = Depends:
policies-domain-any = accounts at any domain count
policies-domain-included = its domain counts
policies-domain-not-included = its domain is not among those that count
policies-domain-excluded = its domain is one of those that do not count
# $time is a moment.
policies-login-here = signed in in this browser on { $time }
policies-login-not-here = not signed in with it in this browser
policies-login-open = signed in with it
# $time is a length of time.
policies-in-time = no longer than { $time } ago
policies-too-old = longer than { $time } ago; sign in again with it
policies-undated = its provider does not say when that sign-in was, so it does not count as recent
policies-with-two-factors = with two factors
policies-with-one-factor = with one factor only; sign in with two
policies-back = Back to the policies

# On the page of a project.
policies-in-project = { $count ->
    [0] No policy so far. It needs one only for data that has to be protected especially.
    [one] One policy says how people must have signed in.
   *[other] { $count } policies say how people must have signed in.
}
policies-see = See the policies
