# What every page shows, and parts that many pages share.

common-skip = Skip to the content
common-signed-in-as = Signed in as
common-help = Need help? Ask the operator of this service.
common-help-contact = Need help? Contact the operator of this service:
common-request = Request { $id }
# Follows a link, for those who cannot see that it opens elsewhere.
common-new-tab = (opens a new tab)

# Before the title of a page and before what is wrong with a field.
common-error = Error:
common-check-form = Please check this form
# The same, where no field is at fault.
common-refused = That did not work
common-show = Show

common-your-account = Your account
common-account-from = from { $provider }
# $name is what the device calls itself.
common-registered-as = This copy was registered from a device as { $name }. The device chose that name itself; nobody has checked it.
common-about-client = About { $client }:
common-terms = Terms of use
common-privacy = Privacy policy
# Follows one of the two above.
common-of-client = of { $client }
# $time is a length of time, such as “10 minutes”.
common-time-limit = Please finish within { $time }. After that, start again from the app.
common-for-client = to continue to { $client }

common-cancel = Cancel
common-continue = Continue
common-hide = Hide
