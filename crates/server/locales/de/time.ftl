# Zeitspannen und Tage.

time-seconds = { $count ->
    [one] { $count } Sekunde
   *[other] { $count } Sekunden
}
time-minutes = { $count ->
    [one] { $count } Minute
   *[other] { $count } Minuten
}
time-hours = { $count ->
    [one] { $count } Stunde
   *[other] { $count } Stunden
}
time-days = { $count ->
    [one] { $count } Tag
   *[other] { $count } Tage
}
time-months = { $count ->
    [one] { $count } Monat
   *[other] { $count } Monate
}

time-date = { $day }. { $month ->
    [1] Januar
    [2] Februar
    [3] März
    [4] April
    [5] Mai
    [6] Juni
    [7] Juli
    [8] August
    [9] September
    [10] Oktober
    [11] November
   *[12] Dezember
} { $year }
time-moment = { time-date }, { $clock } Uhr UTC
# Ein Zeitpunkt, der allein steht, etwa in einer Tabelle.
time-alone = { $moment }
