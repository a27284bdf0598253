# Choosing a password, and why one is not accepted.

password-new = New password
password-new-again = New password again
password-password = Password
password-again = Password again
# $minimum is a number, at least 8.
password-hint = At least { $minimum } characters. Several words that do not belong together are easy to remember.
password-differ = The two passwords differ.
password-too-short = Use at least { $minimum } characters. Several words that do not belong together are easy to remember.
password-too-long = Use at most { $maximum } characters.
password-context = This is little more than “{ $word }”, which others know of you or of this service. Add words that have nothing to do with it.

# Why it is easy to guess.
password-keys = These are keys that lie side by side. { password-guessable }
password-repeats = The same letters come again and again. { password-guessable }
password-sequence = Letters or digits follow in their usual order. { password-guessable }
password-common = Many people use this password or one very much like it. { password-guessable }
password-date = It is made of a date. { password-guessable }
password-names = It is made of common names. { password-guessable }
password-single = It is a single word. { password-guessable }
password-easy = It is easy to guess. { password-guessable }
password-guessable = Programs that guess passwords try it early. Add a few unusual words.
