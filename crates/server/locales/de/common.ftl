# Was jede Seite zeigt, und Teile, die viele Seiten gemeinsam haben.

common-skip = Zum Inhalt springen
common-signed-in-as = Angemeldet als
common-help = Brauchen Sie Hilfe? Fragen Sie den Betreiber dieses Dienstes.
common-help-contact = Brauchen Sie Hilfe? Wenden Sie sich an den Betreiber dieses Dienstes:
common-request = Anfrage { $id }
common-new-tab = (öffnet einen neuen Tab)

common-error = Fehler:
common-check-form = Bitte prüfen Sie Ihre Eingaben
common-refused = Das hat nicht geklappt
common-show = Anzeigen

common-your-account = Ihr Konto
common-account-from = von { $provider }
common-registered-as = Diese Kopie wurde von einem Gerät als { $name } registriert. Das Gerät hat sich diesen Namen selbst gegeben; niemand hat ihn geprüft.
common-about-client = Über { $client }:
common-terms = Nutzungsbedingungen
common-privacy = Datenschutzerklärung
common-of-client = von { $client }
common-time-limit = Sie haben dafür { $time } Zeit. Danach müssen Sie in der App von vorn beginnen.
common-for-client = um mit { $client } fortzufahren

common-cancel = Abbrechen
common-continue = Weiter
common-hide = Verbergen
