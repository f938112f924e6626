#!/bin/sh
# The bucket of images, and who may do what in it. Runs before every start, so passwords, rights and rules may change.
set -eu
cd "$(dirname "$0")"

# $1 gets the rights of $1.json. By standard input: passwords stay out of the list of processes.
login() {
    printf '%s\n%s\n' "$1" "$2" | mc admin user add minio
    mc admin policy create minio "$1" "$1.json"
    mc admin policy attach minio "$1" --user "$1"
}

mc mb --ignore-existing minio/images
mc ilm import minio/images < rules.json
login embsearch-tasks "$TASKS_PASSWORD"
login embsearch-images "$IMAGES_PASSWORD"
