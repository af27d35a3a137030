<#
.SYNOPSIS
Fetch GTZAN (1.2 GB) into data/genres/<genre>/<track>.wav
.DESCRIPTION
    powershell -ExecutionPolicy Bypass -File download_gtzan.ps1 [-Data FOLDER] [-Archive FILE]

The environment variable GTZAN_URL is an address to try first, GTZAN_SHA256 the hash of one more copy to accept. A call
that was interrupted is continued by the next.
.PARAMETER Data
Where genres/ goes.
.PARAMETER Archive
A genres.tar.gz that was fetched before; nothing is fetched.
#>
[CmdletBinding()]
param([string]$Data = 'data', [string]$Archive = '')

$ErrorActionPreference = 'Stop'
$ScriptName = $MyInvocation.MyCommand.Name
trap {
    [Console]::Error.WriteLine("${ScriptName}: $($_.Exception.GetBaseException().Message)")
    exit 1
}
. (Join-Path $PSScriptRoot 'genre/download.ps1')
$Data = Get-FullPath $Data

# The archive of the original host, its sha256 and bytes as TensorFlow Datasets records them.
$known = @('24347e0223d2ba798e0a558c4c172d9d4a19c00bb7963fe055d183dadb4ef2c6:1225571541')
if ($env:GTZAN_SHA256) { $known += $env:GTZAN_SHA256 }
$addresses = @(
    'https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data/genres.tar.gz'
    'http://opihi.cs.uvic.ca/sound/genres.tar.gz' # the original host, silent since 2022
)
if ($env:GTZAN_URL) { $addresses = @($env:GTZAN_URL) + $addresses }
$genres = 'blues', 'classical', 'country', 'disco', 'hiphop', 'jazz', 'metal', 'pop', 'reggae', 'rock'

function Get-TrackCount([string]$Folder) {
    $files = Get-ChildItem -LiteralPath $Folder -File -Recurse -ErrorAction SilentlyContinue
    return @($files | Where-Object { '.wav', '.au' -contains $_.Extension }).Count
}

function Test-Complete([string]$Folder) {
    return @($genres | Where-Object { (Get-TrackCount (Join-Path $Folder $_)) -eq 0 }).Count -eq 0
}

$made = 'is there already'
if (-not (Test-Present 'genres')) {
    Assert-Writable
    $verified = Get-Archive 'genres.tar.gz' 'SHA256' $known 'GTZAN_SHA256' '-Archive' $Archive $addresses
    Expand-Set $verified 'genres' $false
    $made = 'is complete'
}
$total = 0
$odd = @()
foreach ($genre in $genres) {
    $count = Get-TrackCount (Join-Path (Join-Path $Data 'genres') $genre)
    $total += $count
    if ($count -ne 100) { $odd += "$genre $count" }
}
if ($odd) {
    $here = $odd -join ', '
    [Console]::Error.WriteLine("${ScriptName}: warning: GTZAN has 100 tracks of each genre, here are: $here")
}
Write-Host "$(Join-Path $Data 'genres') ${made}: 10 genres, $total tracks (jazz.00054.wav of some copies is broken)"
