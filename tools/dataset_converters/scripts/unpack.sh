#!/usr/bin/env bash
# Unpacks a dataset as OpenDataLab delivers it and puts its folders where our configs look for them:
#   unpack.sh NAME "ARCHIVE ..." "FOLDER ..." DOWNLOAD_ROOT DATA_ROOT
# Archives are named below DOWNLOAD_ROOT/NAME/raw (`odl get`) or DOWNLOAD_ROOT/OpenDataLab___NAME/raw (`openxlab dataset
# get`); X.tar.gz.00 stands for all its parts. The folders may lie anywhere in them, side by side. What is in DATA_ROOT
# already is never overwritten, and the archives stay.
set -euo pipefail

fail() {
    echo "$*" >&2
    exit 2
}

unpack() { # ARCHIVE
    case $1 in
        *.zip) python3 -m zipfile -e "$1" "$scratch" ;;
        *.tar.gz.00) cat "${1%00}"* | tar -xz -C "$scratch" ;;
        *.tar.00) cat "${1%00}"* | tar -x -C "$scratch" ;;
        *.tar.gz) tar -xzf "$1" -C "$scratch" ;;
        *) fail "$1: no archive of a known kind" ;;
    esac
}

has_folders() { # PARENT
    local folder
    for folder in "${folders[@]}"; do
        [[ -d $1/$folder ]] || return 1
    done
}

(($# == 5)) || fail 'two arguments are needed: DOWNLOAD_ROOT, where the archives are, and DATA_ROOT, where the data go'
name=$1 download_root=$4 data_root=$5
read -ra archives <<<"$2"
read -ra folders <<<"$3"

raw=$download_root/$name/raw
[[ -d $raw ]] || raw=$download_root/OpenDataLab___$name/raw
[[ -d $raw ]] || fail "$download_root has neither $name/raw nor OpenDataLab___$name/raw: download $name first"
for archive in "${archives[@]}"; do
    [[ -f $raw/$archive ]] || fail "$raw/$archive is missing: download $name again"
done
for folder in "${folders[@]}"; do
    [[ ! -e $data_root/$folder ]] || fail "$data_root/$folder exists already: move it away, or choose another DATA_ROOT"
done

mkdir -p "$data_root"
scratch=$(mktemp -d "$data_root/.unpack.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
for archive in "${archives[@]}"; do
    echo "unpacking $raw/$archive"
    unpack "$raw/$archive"
done
mapfile -t nested < <(find "$scratch" -maxdepth 2 -type f -name '*.tar.00')
for archive in "${nested[@]}"; do
    unpack "$archive"
done

while IFS= read -r parent; do
    if has_folders "$parent"; then
        for folder in "${folders[@]}"; do
            mv "$parent/$folder" "$data_root/"
        done
        echo "$data_root has ${folders[*]}; the archives in $raw are not needed any more"
        exit
    fi
done < <(find "$scratch" -maxdepth 3 -type d -printf '%d\t%p\n' | sort -n | cut -f 2-)
fail "no folder in the archives of $name has ${folders[*]}; at the top are: $(cd "$scratch" && echo *)"
