# Making an account, its e-mail address, a lost password.

account-reset-title = New password
account-reset = Choose a new password
account-reset-text = We send a link to the e-mail address of the account. Open it within ten minutes.
account-reset-whose = Username or e-mail address
account-reset-nobody = Enter your username or your e-mail address.
account-reset-sent = If there is such an account with an e-mail address, a message with a link is on its way to it.
account-reset-sent-hint = The link works for ten minutes. If nothing comes, look among the unwanted mail, and check what you typed.
account-reset-for = For the account { $username }. Whatever is signed in with the old password ends.
account-reset-submit = Change the password
account-reset-done = Password changed
account-reset-done-text = Your password is changed, and what was signed in with the old one has ended. Sign in with the new one.
account-send-link = Send the link
account-look = Look into your mail
account-to-sign-in = Back to sign-in
account-no-mail = No mail is sent here
account-no-mail-text = This service sends no mail, so this cannot be done here. Ask the operator of the service.

# Making an account.
account-create = Create an account
account-create-text = First we send a link to your e-mail address, to see that it is yours.
account-create-sent = A message is on its way to the address that you entered. Open the link in it to go on; it works for a day.
account-create-sent-hint = If nothing comes, look among the unwanted mail, and check what you typed.
account-create-address = Its e-mail address will be { $address }.
account-create-submit = Create account
account-created = Your account is ready
account-created-text = Your account is { $username }. You can sign in with it now.
account-username = Username
account-username-hint = Other people will know the account as username@{ $domain }.
account-name = Full name
account-email = E-mail address

# Why what was typed cannot be used.
account-username-taken = The username { $username } is taken.
account-name-taken = This name is taken; choose another one.
account-username-domain = Local accounts end in @{ $domain }.
account-username-characters = Must have 1 to 64 letters, digits or the characters . _ - +.
account-username-ascii = Must have letters a to z, digits or the characters . _ - +.
account-text-length = Must have 1 to 255 characters on one line.
account-email-form = Must be an address such as a@example.org.

# The e-mail address.
account-address = E-mail address
account-address-account = Account
account-address-confirmed = { $address } (confirmed)
account-address-unconfirmed = { $address } (not confirmed)
account-address-none = none
account-address-text = We send a link to the address that you enter here. The address counts once you have opened that link. If it is another one than now, both are told of the change.
account-address-new = E-mail address to confirm
account-address-back = Back
account-address-elsewhere = The address of { $username } comes from { $provider } at each sign-in. Change it there.
account-address-sent = A message is on its way to { $address }. Open the link in it within a day. If none comes, too many were sent there lately: try again in an hour.
# With a hyphen at which no line ends.
account-address-confirm = Confirm your e‑mail address
account-address-confirm-text = Is { $address } your address, and is { $username } your account? If you do not know that account, close this page.
account-address-confirm-submit = Confirm
account-address-done = Address confirmed
account-address-done-text = { $address } is the confirmed address of your account.
account-start-page = Go to the start page
