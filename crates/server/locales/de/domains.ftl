# Der Bereich für Entwickler: die Domainnamen einer App.

domains-title = Domainnamen
domains-of-app = von { $app }
domains-added = { $name } gehört jetzt zu dieser App. Um ihre Scopes kann auch unter diesem Namen gebeten werden.
domains-list = Eingetragen
domains-none = Bisher kein Domainname. Eine App braucht keinen.
domains-is-name = Name in Token-Antworten
domains-resource-server = In Token-Antworten heißt dieser Dienst { $name }.
domains-new = Einen Domainnamen eintragen
domains-intro = Mit einem eigenen Domainnamen bekommen die Scopes dieser App eine zweite, lesbare Schreibweise, und andere Entwickler finden die App unter dem Namen.
domains-first-warning = Der erste Name wird auch zum Namen des Dienstes in Token-Antworten. Apps, die seine Tokens unter der Client-ID suchen, müssen dann unter dem neuen Namen suchen.
domains-step-record = Zeigen Sie, dass der Name Ihnen gehört: Setzen Sie diesen Eintrag in seinem DNS.
domains-record-name = Name
domains-record-type = Typ
domains-record-value = Wert
domains-step-check = Lassen Sie dann diesen Server danach sehen. Danach können Sie den Eintrag wieder entfernen.
domains-name = Domainname
domains-name-hint = Der ganze Name, zum Beispiel service.example.org.
domains-check = Prüfen und eintragen

domains-answer-nothing = Das DNS wurde eben nach den TXT-Einträgen von { $name } gefragt. Es gibt keinen. Wenn Sie ihn gerade erst gesetzt haben, kann es einige Minuten dauern, bis ihn alle sehen.
domains-answer-silence = Das DNS wurde eben nach den TXT-Einträgen von { $name } gefragt und hat nicht geantwortet. Über Ihren Eintrag sagt das nichts; versuchen Sie es in einigen Minuten wieder.
domains-answer-others = Das DNS wurde eben nach den TXT-Einträgen von { $name } gefragt. Keiner davon ist genau die Client-ID. Sie lauten:
domains-error-name = Geben Sie einen ganzen Domainnamen an, zum Beispiel service.example.org.
domains-error-taken = { $name } gehört zu einer anderen App.
domains-error-proof = Das DNS hat den Eintrag für { $name } noch nicht.
