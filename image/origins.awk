# Says what a binary is made of: reads lld's map and prints, for each origin, the bytes it has in the file.
#
#   awk -f origins.awk MODULES MAP
#
# MODULES has a line "module package" for each Swift or C module that is compiled from source. Debug information, symbol
# tables and what only takes memory (.bss) are left out, so the sum is about the size of the stripped file.

function hexadecimal(digits,    i, value) {
    for (i = 1; i <= length(digits); i++) value = value * 16 + index("123456789abcdef", substr(digits, i, 1))
    return value
}

function origin(file,    module) {
    if (match(file, /\/release\/[^\/]+\.build\//)) {
        module = substr(file, RSTART + 9, RLENGTH - 16)
        return module in package ? package[module] : module
    }
    if (file ~ /libFoundationEssentials|lib_Foundation(CShims|Collections)/) return "FoundationEssentials"
    if (file ~ /libFoundation|lib_Foundation|libCoreFoundation/) return "the rest of Foundation"
    if (file ~ /lib(swiftDispatch|dispatch|BlocksRuntime)\.a/) return "Dispatch"
    if (file ~ /libswift_?(StringProcessing|RegexParser|RegexBuilder)/) return "Swift's regular expressions"
    if (file ~ /\/swift_static\//) return "Swift's runtime and standard library"
    if (file ~ /lib(ssl|crypto)\.a/) return "OpenSSL"
    if (file ~ /libsqlite3\.a/) return "SQLite"
    if (file ~ /libmodbus\.a/) return "libmodbus"
    if (file ~ /libgpiod\.a/) return "libgpiod"
    if (file ~ /lib(z|zstd)\.a/) return "zlib and zstd"
    if (file ~ /\/gcc\//) return "libstdc++ and libgcc"
    if (file ~ /-linux-gnu\//) return "glibc"
    if (file ~ /^<internal>/) return "linker (merged strings, tables)"
    return file
}

FNR == NR { package[$1] = $2; next }

# VMA LMA Size Align, then at growing indentation: output section, part of an input file, symbol.
!match($0, /^ *[0-9a-f]+ +[0-9a-f]+ +[0-9a-f]+ +[0-9]+ /) { next }
{ rest = substr($0, RLENGTH + 1); sub(/^ */, "", rest); indentation = length($0) - RLENGTH - length(rest) }
# Sections that are not loaded have the address 0.
indentation == 0 { counted = $1 != "0" && rest !~ /bss$/; next }
indentation == 8 && counted {
    colon = index(rest, ":(")
    bytes[origin(substr(rest, 1, colon - 1))] += hexadecimal($3)
}

END {
    for (name in bytes) if (bytes[name] >= 100000) printf "%6.1f MB  %s\n", bytes[name] / 1e6, name
    else small += bytes[name]
    printf "%6.1f MB  %s\n", small / 1e6, "others"
}
