# Everything of all apps at once.
withdrawal-link = Withdraw everything from all apps…
withdrawal-title = Withdraw everything
withdrawal-heading = Withdraw everything from all apps?
withdrawal-lead = { $count ->
    [one] Everything ends that you have allowed this one app.
   *[other] Everything ends that you have allowed these { $count } apps.
}
withdrawal-losses = What will stop working
withdrawal-app = { $app } can no longer, in your name:
# $service is a service that the app uses.
withdrawal-service = { $service } can no longer, when it works for { $app } in your name:
# $scope is the name of a permission.
withdrawal-scope = { $scope } at { $service }
withdrawal-at-once = It ends at once, in all apps and for all programs that use them.
withdrawal-while-away = Work that goes on while you are away fails from then on, such as a transfer that is still running.
withdrawal-again = Each app can ask you again. You stay signed in here.
withdrawal-button = Withdraw everything
withdrawal-keep = Keep it
withdrawal-nothing = No app may act for you, so there is nothing to withdraw.
withdrawal-back = Back to your permissions
# A part that falls only together with the permission it belongs to.
withdrawal-not-alone = Cannot be withdrawn alone.
