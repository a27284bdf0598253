# Where a person is signed in.

sessions-title = Where you are signed in
sessions-ended = Ended
sessions-ended-text = Nobody is signed in there any more, and what apps had got through it no longer works.
sessions-lead = If you do not know one of these, end it and change your password. Ending one also ends what apps got through it: they need you to sign in again.
sessions-end-others = End all but this one
# $browser is “Firefox on Linux”.
sessions-here = { $browser } (this browser)
sessions-signed-in = Signed in
sessions-last-seen = Last seen
sessions-address = Address
sessions-now = Now
sessions-now-in = signed in
sessions-now-out = no longer signed in, but apps may go on
sessions-apps = Apps
sessions-no-apps = none
sessions-end = End it
# Follows the one above after a colon, for those who cannot see where it stands.
sessions-last-seen-at = { $browser }, last seen { $moment }
sessions-browser-on = { $browser } on { $system }
sessions-browser-on-device = { $browser } on an { $device }
sessions-some-browser-on = A browser on { $system }
sessions-some-browser-on-device = A browser on an { $device }
sessions-unknown-browser = An unknown browser
