# How a person signs in: password, passkeys, authenticator app, recovery codes.

security-title = How you sign in
security-account = Account { $username }
security-password-only = Your password is all that protects this account
security-password-only-text = Add a passkey or an authenticator app. Some apps let you in only with a second factor.
security-no-recovery = You have no recovery codes
# $make is a link, the message security-recovery-make.
security-no-recovery-text = Without them you cannot sign in when you lose your second factor. { $make }
security-recovery-make = Make recovery codes
security-password = Password
security-password-change = Change the password
security-passkeys = Passkeys and security keys
security-passkeys-none = None so far. A passkey lets you sign in with the lock of your device or with a security key, without a password.
security-passkey-used = Added on { $added }, last used { $used }
security-passkey-unused = Added on { $added }, not used yet
security-passkey-alone = Signs you in without a password.
security-passkey-second = Used after the password.
# Follows one of the two above.
security-passkey-synced = It may be on several of your devices.
security-passkey-rename = Rename
security-passkey-remove = Remove
# Follows one of the two above, for those who cannot see where it stands.
security-passkey-which = the passkey { $name }
security-passkey-add = Add a passkey
security-passkeys-impossible = Browsers know no passkeys under the address of this service: it has no name.
security-totp = Authenticator app
security-totp-since = Set up on { $day }. Its codes are asked for after your password.
security-totp-none = An app on your phone that shows a new code every half minute.
security-totp-another = Set up another app instead
security-totp-set-up = Set up an app
security-totp-remove = Remove the app
security-recovery = Recovery codes
security-recovery-left = { $count ->
    [one] One code is left.
   *[other] { $count } codes are left.
}
# Follows the one above.
security-recovery-what = Each lets you in once if you have lost your second factor.
security-recovery-new = Make new recovery codes
security-others = Other browsers and apps
security-others-text = If you think that somebody else has used your account, look where you are signed in, and end what is not yours.
security-others-look = See where you are signed in
security-leave = Leave it

# What has just been done.
security-notice-password = Your password was changed.
security-notice-totp = The authenticator app is set up. Its codes are asked for from now on.
security-notice-passkey = The passkey was added.
security-notice-renamed = The passkey has its new name.
security-notice-removed = It was removed.

# The password.
security-password-text = You stay signed in here. Every other browser is signed out, and apps that act for you have to ask you to sign in again.
security-password-now = Present password
security-password-wrong = This is not your present password.
security-password-later = There were too many wrong passwords. Wait a minute and try again.

# The authenticator app.
security-totp-title = Set up an authenticator app
security-totp-scan = Scan this picture with the app, or type the key into it.
security-totp-key = Key
security-totp-uri = As an address
security-totp-code = Code that the app shows now
security-totp-code-hint = The app counts from this code on.
security-totp-submit = Use this app
security-totp-refused = This is not the code that belongs to the key. Is the clock of your device right?

# Passkeys.
security-passkey-where = Your browser will ask where to keep it: on this device, on your phone, or on a security key.
security-passkey-scripts = Adding a passkey needs a browser that runs scripts. An authenticator app needs none.
security-passkey-name = Name
security-passkey-name-hint = So that you know which one it is: “Laptop”, “blue key”.
security-passkey-name-wrong = Give it a name of at most 60 characters.
security-passkey-back = Back without adding one
security-passkey-rename-title = Rename a passkey
security-passkey-remove-this = Remove this passkey
security-passkey-too-late = The page was open too long. Try again.
security-passkey-known = This passkey is registered already.
security-passkey-unknown-kind = This authenticator makes keys of a kind that is not known here.
security-passkey-not-accepted = Your browser's answer was not accepted. Try again, or use another authenticator.

# Removing a factor.
security-remove-title = Remove a second factor
security-remove-totp = Remove the authenticator app?
security-remove-passkey = Remove the passkey “{ $name }”?
security-remove-last = This is your last second factor
security-remove-last-text = Without it the password alone is enough to sign in, and your recovery codes are good for nothing. Apps that demand two factors will not let you in.
security-remove-text = You can no longer sign in with it. Your other factors stay.
security-remove-password = Your password
security-remove-password-hint = It has to be one that can protect the account alone.
security-remove-password-missing = Enter your password to remove the last second factor.
# $reason is a sentence about what is wrong with the password.
security-remove-password-weak = Your password is not good enough to protect the account alone; change it first. { $reason }
security-remove-submit = Remove it
security-remove-keep = Keep it

# Recovery codes.
security-recovery-lead = Ten codes to write down or print. Each lets you in once if you have lost your second factor.
security-recovery-replaced = { $count ->
    [one] One of your present codes is left. It is good for nothing once you make new ones.
   *[other] { $count } of your present codes are left. They are good for nothing once you make new ones.
}
security-recovery-submit = Make new codes
security-recovery-shown = Keep these codes where nobody else finds them. They are shown only now.
security-recovery-done = I have written them down
