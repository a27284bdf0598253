#!/usr/bin/env bash
# A program that runs at night, without anybody: it gets a token as itself and calls the service.
set -euo pipefail

auth=${GLOBUS_SDK_SERVICE_URL_AUTH:-https://auth.globus.org/}

# Secret and token go to curl through its standard input: everybody on the machine can see arguments.
tokens=$(
    printf 'user = "%s:%s"\n' "$CLIENT_ID" "$(cat "$CLIENT_SECRET_FILE")" |
        curl --silent --show-error --fail-with-body --config - "${auth%/}/v2/oauth2/token" \
            --data grant_type=client_credentials --data-urlencode "scope=$SERVICE_SCOPE"
)
token=$(jq --raw-output .access_token <<<"$tokens")

printf 'header = "Authorization: Bearer %s"\n' "$token" |
    curl --silent --show-error --fail-with-body --config - "$SERVICE_URL/scans" --json '{"sample": "night run"}'
echo

# There is no refresh token: the next night it simply asks again. This one is not needed any more.
printf 'user = "%s:%s"\ndata-urlencode = "token=%s"\n' "$CLIENT_ID" "$(cat "$CLIENT_SECRET_FILE")" "$token" |
    curl --silent --show-error --fail --output /dev/null --config - "${auth%/}/v2/oauth2/token/revoke"
