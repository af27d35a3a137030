<#
.SYNOPSIS
Fetch FMA's clips (small: 7.2 GiB) into data/fma_small/NNN/NNNNNN.mp3 and its tables into data/fma_metadata/tracks.csv
.DESCRIPTION
    powershell -ExecutionPolicy Bypass -File download_fma.ps1 [-Size medium] [-Data FOLDER] [-Archive FILE]
        [-Metadata FILE]

The environment variable FMA_URL is the address of another folder that holds the archives, FMA_SHA1 and
FMA_METADATA_SHA1 are the hashes of one more copy to accept of either. A call that was interrupted is continued by the
next.
.PARAMETER Size
small: 8,000 clips of 8 genres; medium: 25,000 of 16.
.PARAMETER Data
Where both folders go.
.PARAMETER Archive
A fma_small.zip (or fma_medium.zip) that was fetched before; it is not fetched.
.PARAMETER Metadata
Likewise a fma_metadata.zip.
#>
[CmdletBinding()]
param(
    [ValidateSet('small', 'medium')][string]$Size = 'small',
    [string]$Data = 'data',
    [string]$Archive = '',
    [string]$Metadata = ''
)

$ErrorActionPreference = 'Stop'
$ScriptName = $MyInvocation.MyCommand.Name
trap {
    [Console]::Error.WriteLine("${ScriptName}: $($_.Exception.GetBaseException().Message)")
    exit 1
}
. (Join-Path $PSScriptRoot 'genre/download.ps1')
$Data = Get-FullPath $Data

$base = 'https://os.unil.cloud.switch.ch/fma/'
if ($env:FMA_URL) { $base = $env:FMA_URL }

function Get-ClipCount([string]$Folder) {
    $files = Get-ChildItem -LiteralPath $Folder -File -Recurse -ErrorAction SilentlyContinue
    return @($files | Where-Object { $_.Name -match '^[0-9].*\.mp3$' }).Count
}

function Test-Complete([string]$Folder) {
    $isMetadata = (Split-Path -Leaf $Folder) -eq 'fma_metadata'
    if ($isMetadata) { return Test-Path -LiteralPath (Join-Path $Folder 'tracks.csv') }
    return (Get-ClipCount $Folder) -gt 0
}

function Add-Folder([string]$Name, [string]$Option, [string]$Own, [string]$Variable, [string[]]$Known) {
    if (Test-Present $Name) {
        Write-Host "$(Join-Path $Data $Name) is there already"
        return
    }
    Assert-Writable
    $verified = Get-Archive "$Name.zip" 'SHA1' $Known $Variable $Option $Own @("$($base.TrimEnd('/'))/$Name.zip")
    Expand-Set $verified $Name $true
}

# The sha1s that FMA publishes beside its archives.
$metadataSha1 = @('f0df49ffe5f2a6008d7dc83c6915b31835dfe733')
$clipsSha1 = @('ade154f733639d52e35e32f5593efe5be76c6d70')
$expected = 8000
if ($Size -eq 'medium') {
    $clipsSha1 = @('c67b69ea232021025fca9231fc1c7c1a063ab50b')
    $expected = 25000
}
if ($env:FMA_METADATA_SHA1) { $metadataSha1 += $env:FMA_METADATA_SHA1 }
if ($env:FMA_SHA1) { $clipsSha1 += $env:FMA_SHA1 }
Add-Folder 'fma_metadata' '-Metadata' $Metadata 'FMA_METADATA_SHA1' $metadataSha1
Add-Folder "fma_$Size" '-Archive' $Archive 'FMA_SHA1' $clipsSha1

$clips = Join-Path $Data "fma_$Size"
$count = Get-ClipCount $clips
if ($count -ne $expected) {
    [Console]::Error.WriteLine("${ScriptName}: warning: FMA $Size has $expected clips, here are $count")
}
Write-Host "${clips}: $count clips; $(Join-Path $Data 'fma_metadata'): tracks.csv"
