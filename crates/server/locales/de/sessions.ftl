# Wo jemand angemeldet ist.

sessions-title = Wo Sie angemeldet sind
sessions-ended = Beendet
sessions-ended-text = Dort ist niemand mehr angemeldet, und was Apps darüber bekommen hatten, funktioniert nicht mehr.
sessions-lead = Wenn Sie eine dieser Anmeldungen nicht kennen, beenden Sie sie und ändern Sie Ihr Passwort. Damit endet auch, was Apps darüber bekommen haben: Dafür müssen Sie sich neu anmelden.
sessions-end-others = Alle außer dieser beenden
sessions-here = { $browser } (dieser Browser)
sessions-signed-in = Angemeldet
sessions-last-seen = Zuletzt gesehen
sessions-address = Adresse
sessions-now = Jetzt
sessions-now-in = angemeldet
sessions-now-out = nicht mehr angemeldet, aber Apps können weitermachen
sessions-apps = Apps
sessions-no-apps = keine
sessions-end = Beenden
sessions-last-seen-at = { $browser }, zuletzt gesehen { $moment }
sessions-browser-on = { $browser } unter { $system }
sessions-browser-on-device = { $browser } auf einem { $device }
sessions-some-browser-on = Ein Browser unter { $system }
sessions-some-browser-on-device = Ein Browser auf einem { $device }
sessions-unknown-browser = Ein unbekannter Browser
