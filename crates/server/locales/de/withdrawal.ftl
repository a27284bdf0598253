# Alles von allen Apps auf einmal.
withdrawal-link = Alles von allen Apps widerrufen…
withdrawal-title = Alles widerrufen
withdrawal-heading = Alles von allen Apps widerrufen?
withdrawal-lead = { $count ->
    [one] Alles endet, was Sie dieser einen App erlaubt haben.
   *[other] Alles endet, was Sie diesen { $count } Apps erlaubt haben.
}
withdrawal-losses = Was nicht mehr geht
withdrawal-app = { $app } kann in Ihrem Namen nicht mehr:
withdrawal-service = { $service } kann, wenn der Dienst für { $app } in Ihrem Namen arbeitet, nicht mehr:
withdrawal-scope = { $scope } bei { $service }
withdrawal-at-once = Es endet sofort, in allen Apps und für alle Programme, die sie nutzen.
withdrawal-while-away = Arbeiten, die laufen, während Sie nicht da sind, schlagen von da an fehl, zum Beispiel eine Übertragung, die noch nicht fertig ist.
withdrawal-again = Jede App kann Sie wieder fragen. Hier bleiben Sie angemeldet.
withdrawal-button = Alles widerrufen
withdrawal-keep = Behalten
withdrawal-nothing = Keine App darf für Sie handeln; es gibt nichts zu widerrufen.
withdrawal-back = Zurück zu Ihren Berechtigungen
withdrawal-not-alone = Kann nicht einzeln widerrufen werden.
