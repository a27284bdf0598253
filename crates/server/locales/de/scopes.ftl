# Der Bereich für Entwickler: worum andere Apps bitten können, wenn eine App ein Dienst ist.

scopes-title = Scopes
scopes-of-app = von { $app }
scopes-intro = Ein Scope ist eine Berechtigung: Andere Apps bitten Menschen darum und dürfen diesen Dienst dann in deren Namen nutzen. Oft genügt ein einziger Scope für alles, was der Dienst tut.
scopes-none = Diese App hat bisher keinen Scope. Sie braucht nur dann einen, wenn andere Apps sie nutzen sollen.
scopes-new = Neuer Scope
scopes-domains = Domainnamen
scopes-find = Einen Scope nach Namen oder Zeichenfolge suchen
scopes-none-fits = Kein Scope passt zu „{ $text }“.
scopes-show-all = Alle Scopes zeigen
scopes-shown = { $shown } von { $total } Scopes werden gezeigt.
scopes-notice-made = Der Scope ist angelegt. Apps können jetzt darum bitten.
scopes-notice-changed = Der Scope ist geändert.
scopes-notice-deleted = Der Scope ist gelöscht, und alles, was Menschen damit erlaubt hatten, ist beendet.
scopes-tag-advertised = öffentlich angeboten
scopes-tag-no-refresh = keine Refresh-Tokens
scopes-only-domains = Nur für Menschen mit einem Konto bei { $domains }
scopes-needs = { $count ->
    [one] Braucht einen Scope eines anderen Dienstes
   *[other] Braucht { $count } Scopes anderer Dienste
}
scopes-change = Ändern
scopes-delete = Löschen

scopes-new-title = Neuer Scope
scopes-change-title = Scope ändern
scopes-id = Scope-ID: { $id }
scopes-suffix = Endung
scopes-suffix-hint = Das Ende des Namens für Programme: Kleinbuchstaben, Ziffern und Unterstriche, zum Beispiel action_all.
scopes-suffix-placeholder = endung
scopes-string = Programme bitten unter diesem Namen darum:
scopes-name = Name
scopes-name-hint = Was Menschen lesen, wenn eine App sie darum bittet, zum Beispiel „Aktionen an der Strahllinie ausführen“.
scopes-description = Beschreibung
scopes-description-hint = Ein oder zwei Sätze: was jemand damit im Namen der Person tun kann.
scopes-advertised = Öffentlich anbieten
scopes-advertised-hint = Jede App kann ihn finden und darum bitten. Sonst können das nur die Apps dieses Projekts, außer wenn die App öffentlich ist.
scopes-refresh = Refresh-Tokens erlauben
scopes-refresh-hint = Apps dürfen weiterarbeiten, während die Person nicht da ist. Dienste, die auf lange Arbeiten warten, etwa Abläufe, brauchen das.
scopes-required-domains = Nur für Konten bei
scopes-required-domains-hint = Domains, eine in jeder Zeile, zum Beispiel example.edu oder *.example.edu. Lassen Sie das Feld leer, wenn er für alle ist.

scopes-needs-title = Was er von anderen Diensten braucht
scopes-needs-text = Scopes, die dieser Dienst im Namen der Person nutzt, um seine Arbeit zu tun. Menschen sehen sie, wenn sie diesen Scope erlauben, und erlauben sie zusammen mit ihm.
scopes-needs-none = Nichts ausgewählt.
scopes-at-service = bei { $service }
scopes-needs-optional = Freiwillig: Er kann einzeln abgelehnt und widerrufen werden (atomically revocable)
scopes-needs-refresh = Braucht ein Refresh-Token: Der Dienst arbeitet damit weiter, während die Person nicht da ist
scopes-needs-never-refreshes = Dieser Scope gibt keine Refresh-Tokens; das Häkchen bleibt ohne Wirkung.
scopes-needs-remove = Entfernen
scopes-search = Einen Scope suchen
scopes-search-hint = Ein Teil seines Namens oder des Namens seines Dienstes, eine ganze Scope-Zeichenfolge oder der Domainname eines Dienstes.
scopes-search-button = Suchen
scopes-found-none = Dazu passt kein Scope, oder keiner, den diese App sehen darf.
scopes-found = { $count ->
    [one] Ein Scope passt.
   *[other] { $count } Scopes passen.
}
scopes-found-more = Es gibt mehr; geben Sie mehr vom Namen an.
scopes-found-partial = Auf diesem Server gibt es zu viele Scopes, um jeden Namen anzusehen. Wenn Ihrer nicht dabei ist, geben Sie die ganze Scope-Zeichenfolge an.
scopes-add = Hinzufügen
scopes-make = Scope anlegen
scopes-save = Speichern
scopes-cancel = Abbrechen
scopes-delete-this = Diesen Scope löschen …

scopes-error-suffix = Eine Endung hat nur Kleinbuchstaben, Ziffern und Unterstriche.
scopes-error-suffix-taken = Einen Scope mit dieser Endung gibt es schon.
scopes-error-suffix-long = Die Scope-Zeichenfolge wäre länger als 512 Bytes; wählen Sie eine kürzere Endung.
scopes-error-name = Geben Sie einen Namen mit 1 bis 255 Zeichen in einer Zeile an.
scopes-error-description = Geben Sie eine Beschreibung mit 1 bis 4000 Zeichen an.
scopes-error-domains = Prüfen Sie die Domains: { $reason }.
scopes-error-cycle = Das wäre ein Kreis: Dieser Scope würde sich über { $scope } selbst brauchen. Entfernen Sie diesen, oder ändern Sie, was er braucht.
scopes-error-self = Das wäre ein Kreis: Dieser Scope würde sich selbst brauchen.
scopes-error-unknown = Einen der ausgewählten Scopes gibt es nicht mehr, oder diese App darf ihn nicht sehen. Entfernen Sie ihn.
scopes-error-dependencies = Die ausgewählten Scopes passen nicht: { $reason }.

scopes-delete-title = Diesen Scope löschen?
scopes-delete-lead = { $scope } von { $app }
scopes-delete-ends = Was endet
scopes-delete-people = { $count ->
    [0] Bisher hat ihn niemand erlaubt.
    [one] Eine Person hat ihn erlaubt. Das endet sofort, mit allem darunter.
   *[other] { $count } Menschen haben ihn erlaubt. Das endet sofort, mit allem darunter.
}
scopes-delete-dependents = { $count ->
    [0] Kein anderer Scope braucht ihn.
    [one] Ein Scope eines anderen Dienstes braucht ihn und muss dann ohne ihn auskommen.
   *[other] { $count } Scopes anderer Dienste brauchen ihn und müssen dann ohne ihn auskommen.
}
scopes-delete-tokens = Tokens, die nur auf ihm beruhen, sind sofort wirkungslos.
scopes-delete-for-good = Das lässt sich nicht rückgängig machen. Ein Scope, der später mit derselben Endung angelegt wird, ist ein anderer, und er muss neu erlaubt werden.
scopes-delete-button = Scope löschen
scopes-keep = Behalten

# Auf der Seite einer App.
scopes-app-heading = Worum andere Apps bitten können
scopes-app-text = Wenn andere Apps diese im Namen von Menschen nutzen sollen, braucht sie mindestens einen Scope.
