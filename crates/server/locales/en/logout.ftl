# Logging out.

logout-title = Sign out
logout-ask = Log out?
logout-asked-by = asked for by { $client }
logout-text = You will have to sign in again in this browser. Apps that you allowed to act for you keep that permission.
logout-submit = Log out
logout-stay = Stay signed in
logout-done-title = Signed out
logout-done = Logged out
logout-done-of = Logged out of { $client }
logout-done-text = This browser is no longer signed in. Apps that you allowed to act for you keep that permission.
logout-continue = Continue to { $name }
logout-close = You can close this page.
