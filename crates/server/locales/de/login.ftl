# Anmelden: der erste und der zweite Schritt, und was von einer Anmeldung verlangt wird.

login-title = Anmelden
login-title-linking = Mit dem anderen Konto anmelden
login-username = Benutzername
login-password = Passwort
login-submit = Anmelden
login-with-passkey = Mit einem Passkey anmelden
login-forgot = Passwort vergessen?
login-create-account = Konto anlegen

login-this-service = Dieser Dienst
login-needed-title = Was nötig ist
login-needed = Für das, was Sie vorhaben, ist nötig:
login-why = Warum werde ich noch einmal gefragt?
login-asked-again = Sie haben sich hier schon angemeldet. { $client } möchte sicher sein, dass Sie es noch sind, und bittet Sie um eine neue Anmeldung.
login-too-long-ago = { $client } verlangt eine Anmeldung, die weniger lange zurückliegt als Ihre letzte.
login-step-up = Für das, was Sie vorhaben, genügt Ihre jetzige Anmeldung nicht. Nötig ist:
login-message = Nachricht, die mit dieser Anfrage kam
login-linking = um es mit { $username } zu verknüpfen
login-linking-provider = Es muss ein Konto von { $provider } sein.
login-linking-stay = Sie bleiben als { $username } angemeldet. Bevor etwas verknüpft wird, sehen Sie beide Konten und entscheiden.

login-other-title = Mit einem anderen Konto anmelden
login-find = Ihre Einrichtung suchen
login-find-hint = Ein Teil ihres Namens oder ihrer Domain, zum Beispiel example.edu.
login-find-submit = Suchen
login-found-none = Für „{ $text }“ wurde nichts gefunden. Versuchen Sie es mit weniger Buchstaben oder mit der Domain Ihrer E-Mail-Adresse.
login-found-more = Die ersten { $count } werden angezeigt. Geben Sie mehr vom Namen ein, um andere zu finden.
login-found = Gefunden: { $count }

login-demand-account = das Konto { $username }
login-demand-some-account = ein bestimmtes Konto
login-demand-domains = ein Konto bei { $domains }
login-demand-other-domains = ein Konto, das nicht bei { $domains } ist
login-demand-administrator = ein Konto, das das Projekt verwaltet
login-demand-policy = eine Anmeldung, die der Richtlinie der App genügt
login-demand-two-factors = eine Anmeldung mit zwei Faktoren
login-demand-kind = eine Anmeldung bestimmter Art
login-demand-new = eine neue Anmeldung
login-demand-seconds = { $count ->
    [1] eine Anmeldung in der letzten Sekunde
   *[other] eine Anmeldung in den letzten { $count } Sekunden
}
login-demand-minutes = { $count ->
    [1] eine Anmeldung in der letzten Minute
   *[other] eine Anmeldung in den letzten { $count } Minuten
}
login-demand-hours = { $count ->
    [1] eine Anmeldung in der letzten Stunde
   *[other] eine Anmeldung in den letzten { $count } Stunden
}
login-demand-days = { $count ->
    [1] eine Anmeldung am letzten Tag
   *[other] eine Anmeldung in den letzten { $count } Tagen
}
login-or = oder

login-wrong = Der Benutzername oder das Passwort ist falsch.
login-out-of-date = Diese Seite war nicht mehr aktuell, vielleicht weil Sie sich in einem anderen Tab angemeldet haben. Bitte melden Sie sich hier noch einmal an.
login-too-many-seconds = { $count ->
    [1] Zu viele Versuche für dieses Konto. Versuchen Sie es in einer Sekunde wieder.
   *[other] Zu viele Versuche für dieses Konto. Versuchen Sie es in { $count } Sekunden wieder.
}
login-too-many-minutes = { $count ->
    [one] Zu viele Versuche für dieses Konto. Versuchen Sie es in { $count } Minute wieder.
   *[other] Zu viele Versuche für dieses Konto. Versuchen Sie es in { $count } Minuten wieder.
}

login-factor-title = Zweiter Schritt
login-factor-as = als { $username }
login-factor-for-client-as = um als { $username } mit { $client } fortzufahren
login-factor-otp = Code aus Ihrer Authenticator-App
login-factor-passkey = Passkey oder Sicherheitsschlüssel benutzen
login-factor-passkey-scripts = Ein Passkey lässt sich nur in einem Browser benutzen, der Skripte ausführt.
login-factor-use-recovery = Wiederherstellungscode benutzen
login-factor-recovery = Wiederherstellungscode
login-factor-recovery-hint = Einer von denen, die Sie aufgeschrieben haben. Jeder gilt einmal.
login-factor-recovery-submit = Diesen Code benutzen
login-factor-again = Von vorn beginnen
login-factor-lost = Wenn Sie verloren haben, womit Sie sich sonst anmelden, fragen Sie den Betreiber dieses Dienstes.
login-factor-passkey-refused = Dieser Passkey wurde nicht angenommen. Versuchen Sie es noch einmal oder auf einem anderen Weg.
login-factor-recovery-refused = Das ist keiner Ihrer Wiederherstellungscodes, oder er wurde schon benutzt.
login-factor-otp-refused = Dieser Code ist falsch, wurde schon benutzt oder ist zu alt. Warten Sie auf den nächsten und versuchen Sie es noch einmal.
login-factor-nothing = Geben Sie einen Code ein oder benutzen Sie einen Passkey.

login-passkey-no-address = Unter der Adresse dieses Dienstes lassen sich keine Passkeys benutzen.
login-passkey-none = Ihr Browser hat keinen Passkey geliefert. Melden Sie sich mit Ihrem Passwort an.
login-passkey-refused = Dieser Passkey wurde nicht angenommen. Vielleicht wurde er hier entfernt, oder die Seite war zu lange offen.
login-passkey-cancelled = Es wurde kein Passkey benutzt: Es gab keinen, es dauerte zu lange, oder es wurde abgebrochen.
login-passkey-wrong-address = Unter dieser Adresse lassen sich keine Passkeys benutzen. Öffnen Sie die Seite unter der Adresse des Dienstes.
login-passkey-failed = Der Passkey ließ sich nicht benutzen.
