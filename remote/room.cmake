# libcurl is loaded at run time (remote/http_transfer.cc says why): its headers are needed, linking to it is not wanted.
add_library(mbuild_curl_headers INTERFACE)
target_include_directories(mbuild_curl_headers SYSTEM INTERFACE
                           $<TARGET_PROPERTY:CURL::libcurl,INTERFACE_INCLUDE_DIRECTORIES>)
list(APPEND room_LIBS mbuild_curl_headers ${CMAKE_DL_LIBS})
