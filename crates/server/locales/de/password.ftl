# Ein Passwort wählen, und warum eines nicht angenommen wird.

password-new = Neues Passwort
password-new-again = Neues Passwort noch einmal
password-password = Passwort
password-again = Passwort noch einmal
password-hint = Mindestens { $minimum } Zeichen. Mehrere Wörter, die nichts miteinander zu tun haben, lassen sich leicht merken.
password-differ = Die beiden Passwörter sind verschieden.
password-too-short = Benutzen Sie mindestens { $minimum } Zeichen. Mehrere Wörter, die nichts miteinander zu tun haben, lassen sich leicht merken.
password-too-long = Benutzen Sie höchstens { $maximum } Zeichen.
password-context = Das ist kaum mehr als „{ $word }“, was andere von Ihnen oder diesem Dienst wissen. Fügen Sie Wörter hinzu, die nichts damit zu tun haben.

password-keys = Das sind Tasten, die nebeneinander liegen. { password-guessable }
password-repeats = Dieselben Buchstaben kommen immer wieder. { password-guessable }
password-sequence = Buchstaben oder Ziffern folgen in ihrer üblichen Reihenfolge. { password-guessable }
password-common = Viele Menschen benutzen dieses Passwort oder ein sehr ähnliches. { password-guessable }
password-date = Es besteht aus einem Datum. { password-guessable }
password-names = Es besteht aus verbreiteten Namen. { password-guessable }
password-single = Es ist ein einziges Wort. { password-guessable }
password-easy = Es ist leicht zu erraten. { password-guessable }
password-guessable = Programme, die Passwörter raten, probieren es früh. Fügen Sie ein paar ungewöhnliche Wörter hinzu.
