# The pages on which a person allows or refuses what an app asks for.

consent-title = Allow access
consent-asks = { $client } asks for your permission
# Before a list of permissions, each a phrase such as “Transfer files”.
consent-would-like = It would like to
consent-optional-hint = Untick what is marked as optional if you do not want it. The app may then do less for you.
consent-technical = Technical names of these permissions
consent-how-long = For how long
# $time is a length of time, such as “2 days”.
consent-while-present = For up to { $time } each time you come through here. After that it needs you again: it cannot go on while you are away.
# $lead is the message consent-also-away.
consent-while-away = { $lead }, until you withdraw the permission.
consent-while-away-idle = { $lead }, until you withdraw the permission or the app has not used it for { $time }.
consent-also-away = Also while you are away
consent-not-again = { $client } will not ask again for what you allow here.
# $page is a link, the message consents-title.
consent-where = You can look at your permissions and withdraw them at any time under { $page }.
consent-label = Name of this permission
consent-label-hint = Helps you to recognise it in your list later, for example by the device. You may change it or leave it empty.
consent-about = About this app
consent-documents = What { $client } does with your data stands in its own documents.
consent-no-documents = { $client } has given no terms of use and no privacy policy.
# $destination is an address or a few words.
consent-destination = Afterwards you return to { $destination }.
consent-allow = Allow
consent-deny = Deny
consent-not-you = Not { $username }?
consent-switch = Use another account
consent-optional = optional
# Stands before the name of a service.
consent-at = at { $resource }
consent-beneath = To do this, { $resource } may also, on your behalf:
consent-choose = Choose whether to allow access.
consent-changed = What the app asks for has changed. Look at it again before you allow it.

# The page for programs on a person's device.
consent-continue-title = Continue
consent-continue = Continue to { $client }?
consent-continue-opened = A program on your device has opened this page. You have allowed { $client } before, so it will get access at once when you continue.
consent-continue-yourself = Continue only if you started { $client } yourself, just now.
consent-continue-as = Continue as { $username }
