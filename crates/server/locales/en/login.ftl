# Signing in: the first and the second step, and what is asked of a sign-in.

login-title = Sign in
login-title-linking = Sign in with the other account
login-username = Username
login-password = Password
login-submit = Sign in
login-with-passkey = Sign in with a passkey
login-forgot = Forgot your password?
login-create-account = Create an account

# Stands for the app where none is known.
login-this-service = This service
login-needed-title = What is needed
login-needed = What you are about to do needs:
login-why = Why am I asked again?
login-asked-again = You have signed in here before. { $client } wants to be sure that it is still you, and asks you to sign in once more.
login-too-long-ago = { $client } needs a more recent sign-in than the one you have.
login-step-up = What you are about to do needs more than your present sign-in:
login-message = Message that came with this request
login-linking = to link it with { $username }
login-linking-provider = It has to be an account of { $provider }.
login-linking-stay = You stay signed in as { $username }. Before anything is linked you see both accounts, and decide.

login-other-title = Sign in with another account
login-find = Find your institution
login-find-hint = A part of its name or its domain, such as example.edu.
login-find-submit = Find
login-found-none = Nothing was found for “{ $text }”. Try fewer letters, or the domain of your e-mail address.
login-found-more = The first { $count } are shown. Write more of the name to find others.
login-found = Found: { $count }

# What is demanded, each in a list after “needs:”.
login-demand-account = the account { $username }
login-demand-some-account = a particular account
# $domains are domains, “example.edu or example.org”.
login-demand-domains = an account at { $domains }
login-demand-other-domains = an account that is not at { $domains }
login-demand-administrator = an account that administers the project
login-demand-policy = a sign-in that satisfies the app's policy
login-demand-two-factors = a sign-in with two factors
login-demand-kind = a sign-in of a particular kind
login-demand-new = a new sign-in
login-demand-seconds = { $count ->
    [1] a sign-in within the last second
   *[other] a sign-in within the last { $count } seconds
}
login-demand-minutes = { $count ->
    [1] a sign-in within the last minute
   *[other] a sign-in within the last { $count } minutes
}
login-demand-hours = { $count ->
    [1] a sign-in within the last hour
   *[other] a sign-in within the last { $count } hours
}
login-demand-days = { $count ->
    [1] a sign-in within the last day
   *[other] a sign-in within the last { $count } days
}
# Between the last two of several.
login-or = or

login-wrong = The username or the password is wrong.
login-out-of-date = This page was out of date, perhaps because you signed in in another tab. Please sign in here again.
login-too-many-seconds = { $count ->
    [1] Too many attempts for this account. Try again in one second.
   *[other] Too many attempts for this account. Try again in { $count } seconds.
}
login-too-many-minutes = { $count ->
    [one] Too many attempts for this account. Try again in { $count } minute.
   *[other] Too many attempts for this account. Try again in { $count } minutes.
}

# The second step.
login-factor-title = Second step
login-factor-as = as { $username }
login-factor-for-client-as = to continue to { $client } as { $username }
login-factor-otp = Code from your authenticator app
login-factor-passkey = Use a passkey or security key
login-factor-passkey-scripts = Using a passkey needs a browser that runs scripts.
login-factor-use-recovery = Use a recovery code
login-factor-recovery = Recovery code
login-factor-recovery-hint = One of those that you wrote down. Each is good once.
login-factor-recovery-submit = Use this code
login-factor-again = Start again
# Follows the one above.
login-factor-lost = If you have lost what you signed in with, ask the operator of this service.
login-factor-passkey-refused = This passkey was not accepted. Try again, or use another way.
login-factor-recovery-refused = This is none of your recovery codes, or it was used before.
login-factor-otp-refused = This code is wrong, was used before, or is too old. Wait for the next one and try again.
login-factor-nothing = Enter a code, or use a passkey.

login-passkey-no-address = Passkeys cannot be used under the address of this service.
login-passkey-none = Your browser gave no passkey. Sign in with your password.
login-passkey-refused = This passkey was not accepted. It may have been removed here, or the page was open too long.
# What the script says where a passkey cannot be used.
login-passkey-cancelled = No passkey was used: there was none, it took too long, or it was cancelled.
login-passkey-wrong-address = Passkeys cannot be used under this address. Open the page under the address of the service.
login-passkey-failed = The passkey could not be used.
