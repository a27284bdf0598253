# Was in E-Mails steht.

# Um jede Mitteilung und jede Nachricht an die Kontaktadresse eines Projekts herum.
mail-notice =
    Guten Tag { $name },

    { $what }

    Konto: { $username }

    Wenn Sie das nicht waren: Melden Sie sich an, beenden Sie alle anderen Sitzungen, ändern Sie Ihr Passwort und sagen Sie den Betreibern Bescheid.
mail-contact =
    { $text }

    Projekt: { $project }
    { $page }

    Sie bekommen diese Nachricht, weil diese Adresse die Kontaktadresse des Projekts ist.

# Links, um die jemand gebeten hat.
mail-reset-subject = Ein neues Passwort wählen
mail-reset =
    Jemand hat um ein neues Passwort für das Konto { $username } bei { $site } gebeten.

    Um eines zu wählen, öffnen Sie innerhalb von zehn Minuten diesen Link:

    { $link }

    Wenn Sie das nicht waren, tun Sie nichts: Das Passwort bleibt, wie es ist.
mail-reset-by-administrator =
    Die Verwaltung hat um ein neues Passwort für das Konto { $username } bei { $site } gebeten.

    Um eines zu wählen, öffnen Sie innerhalb von zehn Minuten diesen Link:

    { $link }

    Wenn Sie keines wollten, tun Sie nichts: Das Passwort bleibt, wie es ist.
mail-confirm-subject = Ihre E-Mail-Adresse bestätigen
mail-confirm =
    Diese Adresse wurde für das Konto { $username } bei { $site } eingetragen.

    Um zu bestätigen, dass sie Ihnen gehört, öffnen Sie innerhalb eines Tages diesen Link:

    { $link }

    Wenn Sie das Konto nicht kennen, tun Sie nichts.
mail-known-subject = Sie haben ein Konto
mail-known =
    Jemand wollte bei { $site } mit dieser Adresse ein Konto eröffnen. Sie hat schon eines:

    { $accounts }

    Damit können Sie sich unter { $link } anmelden oder dort ein neues Passwort wählen.
mail-open-subject = Ihr Konto eröffnen
mail-open =
    Jemand will bei { $site } mit dieser Adresse ein Konto eröffnen.

    Um weiterzumachen, öffnen Sie innerhalb eines Tages diesen Link:

    { $link }

    Wenn Sie das nicht waren, tun Sie nichts: Es entsteht kein Konto.

# Was mit einem Konto geschehen ist.
mail-address-subject = Ihre E-Mail-Adresse wurde geändert
mail-address = Die E-Mail-Adresse Ihres Kontos ist jetzt { $address }.
mail-second-step-subject = Jemand kennt Ihr Passwort
mail-second-step = Jemand hat Ihr richtiges Passwort eingegeben und ist dann mehrmals am zweiten Schritt der Anmeldung gescheitert. Wenn Sie das nicht waren, ändern Sie jetzt Ihr Passwort.
mail-linked-subject = Zwei Konten wurden verknüpft
mail-linked = Das Konto { $other } ({ $other_provider }) wurde mit Ihrem Konto { $mine } ({ $mine_provider }) verknüpft. Wer sich mit einem davon anmelden kann, handelt jetzt für beide.
mail-unlinked-subject = Eine Verknüpfung wurde gelöst
mail-unlinked = Das Konto { $account } ({ $account_provider }) ist nicht mehr mit { $primary } ({ $primary_provider }) verknüpft. Apps, die es benutzt haben, müssen neu fragen.
mail-primary-subject = Ihr Hauptkonto ist jetzt ein anderes
mail-primary = Das Konto { $account } ({ $account_provider }) ist jetzt Ihr Hauptkonto, anstelle von { $former } ({ $former_provider }). Apps, bei denen Sie sich von nun an anmelden, kennen Sie darunter.
mail-passkey-subject = Zu Ihrem Konto kam ein Passkey hinzu
mail-passkey = Mit dem Passkey „{ $name }“ kann man sich von jetzt an bei Ihrem Konto anmelden.
mail-copied-subject = Einer Ihrer Passkeys wurde vielleicht kopiert
mail-copied = Mit dem Passkey „{ $name }“ hat sich jemand angemeldet, und er zählt falsch, wie oft er benutzt wird. Das kommt vor, wenn er beschädigt ist oder wenn jemand eine Kopie davon hat. Wenn Sie nicht sicher sind, entfernen Sie ihn auf der Sicherheitsseite Ihres Kontos und registrieren Sie einen anderen.
mail-recovery-subject = Ein Wiederherstellungscode wurde benutzt
mail-recovery = Jemand hat sich bei Ihrem Konto mit einem Wiederherstellungscode angemeldet. Übrig: { $left }.
mail-codes-subject = Für Ihr Konto gibt es neue Wiederherstellungscodes
mail-codes = Frühere Wiederherstellungscodes gelten nicht mehr.
mail-app-subject = Für Ihr Konto wurde eine Authenticator-App eingerichtet
mail-app = Von jetzt an wird bei der Anmeldung nach einem Code aus einer Authenticator-App gefragt.
mail-removed-subject = Von Ihrem Konto wurde ein zweiter Faktor entfernt
mail-removed-app = Die Authenticator-App Ihres Kontos wurde entfernt.
mail-removed-passkey = Der Passkey „{ $name }“ Ihres Kontos wurde entfernt.
mail-removed-all = Alle zweiten Faktoren Ihres Kontos wurden entfernt.
mail-removed-last = Es hat keinen zweiten Faktor mehr: Zur Anmeldung genügt das Passwort.
mail-removed-not-last = Die anderen bleiben.
mail-switched-off-subject = Ihr Konto wurde ausgeschaltet
mail-switched-off = Ihr Konto wurde ausgeschaltet: Niemand kann sich damit anmelden, und wo es angemeldet war, ist das beendet.
mail-password-subject = Ihr Passwort wurde geändert
mail-password = Das Passwort Ihres Kontos wurde geändert. Wo Sie sonst angemeldet waren, ist das beendet.
mail-password-added =
    In den letzten Tagen kam zu Ihrem Konto hinzu, durch Sie oder durch jemanden, der Ihr Passwort hatte:

    { $list }

    Was Sie davon nicht kennen, entfernen Sie auf der Sicherheitsseite Ihres Kontos.
mail-added-app = eine Authenticator-App
mail-added-passkey = der Passkey „{ $name }“
mail-signed-out-subject = Sie wurden anderswo abgemeldet
mail-signed-out = Alle anderen Browser wurden von Ihrem Konto abgemeldet, und Apps, die dort benutzt wurden, müssen Sie bitten, sich neu anzumelden.

# Was mit einem Projekt geschehen ist.
mail-admins-subject = Wer Ihr Projekt verwaltet, hat sich geändert
mail-admins = Wer Ihr Projekt verwaltet, hat sich geändert. Auf seiner Seite steht, wer es jetzt ist.
mail-new-contact-subject = Die Kontaktadresse Ihres Projekts hat sich geändert
mail-new-contact = Ihr Projekt hat jetzt eine andere Kontaktadresse. Dies ist die letzte Nachricht darüber an diese Adresse. Wenn das nicht so gemeint war, fragen Sie die, die das Projekt verwalten, oder die Betreiber dieses Servers.
mail-app-deleted-subject = Eine App wurde gelöscht
mail-app-deleted = Die App mit der ID { $id } wurde gelöscht. Ihre Scopes, alle Berechtigungen für sie und alle ihre Token sind beendet.
mail-app-switched-subject = Eine App wurde aus- oder eingeschaltet
mail-app-off = Die App { $name } ({ $id }) wurde ausgeschaltet: Niemand kann sich bei ihr anmelden, und ihre Token sind beendet.
mail-app-on = Die App { $name } ({ $id }) wurde wieder eingeschaltet.
mail-key-subject = Ein neuer Signaturschlüssel
mail-key = Dieser Server hat einen neuen Schlüssel gemacht, mit dem er ID-Token signiert. Programme, die die Schlüssel unter /jwk.json lesen, wenn sie einem unbekannten begegnen, brauchen nichts; solche, die eine Kopie behalten, brauchen eine neue.
